"""One adapter per connection and loop, kept while it is used, and replaced when the connection changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from apps.providers.adapters.fake import FakeAdapter
from apps.providers.connection import FAKE, ProviderConnection
from apps.providers.protocol import ErrorKind, ProviderError
from apps.providers.registry import adapter_for, close_adapters
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.unit.providers.conftest import chat, connection_to

CONNECTION = ProviderConnection(provider_id="f", slug="fake", kind=FAKE)


def test_a_loop_uses_one_adapter_again_and_another_loop_has_its_own() -> None:
    async def two() -> tuple[object, object]:
        return adapter_for(CONNECTION), adapter_for(replace(CONNECTION))

    first, again = asyncio.run(two())
    elsewhere, _ = asyncio.run(two())
    assert first is again
    assert elsewhere is not first


def test_without_a_loop_the_adapter_is_new_each_time() -> None:
    assert isinstance(adapter_for(CONNECTION), FakeAdapter)
    assert adapter_for(CONNECTION) is not adapter_for(CONNECTION)


def test_a_changed_key_gets_a_new_adapter_and_the_old_ends_its_calls(
    loopback_provider: LoopbackProvider,
) -> None:
    loopback_provider.behaviour = Behaviour(latency_s=0.2)

    async def change_under_way() -> tuple[str, ProviderError]:
        old = connection_to(loopback_provider.base_url)
        call = asyncio.create_task(adapter_for(old).complete(chat("slow")))
        await asyncio.sleep(0.05)
        with pytest.raises(ProviderError) as caught:
            await adapter_for(replace(old, api_key="another")).complete(chat("hi"))
        text = (await call).text
        await close_adapters()
        return text, caught.value

    text, error = asyncio.run(change_under_way())
    assert text == "slow"
    assert error.kind is ErrorKind.AUTHENTICATION
