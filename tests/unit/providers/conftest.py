"""Short ways to make requests and connections for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from apps.providers.adapters.openai import OpenAIAdapter
from apps.providers.connection import OPENAI, ProviderConnection
from apps.providers.protocol import CompletionRequest, CompletionResponse, Message, Parameters, ProviderError
from tests.loopback_provider import API_KEY, LoopbackProvider


def chat(
    text: str, *, model: str = "loop-small", system: str | None = None, **parameters: Any
) -> CompletionRequest:
    """A request with one user message."""
    before = (Message("system", system),) if system else ()
    return CompletionRequest(
        model=model,
        messages=(*before, Message("user", text)),
        parameters=Parameters(model=f"provider/{model}", **parameters),
    )


def connection_to(base_url: str, **fields: Any) -> ProviderConnection:
    fields = {"api_key": API_KEY, "timeout_s": 10, **fields}
    return ProviderConnection(provider_id="p", slug="loop", kind=OPENAI, base_url=base_url, **fields)


def run_with(
    connection: ProviderConnection, work: Callable[[OpenAIAdapter], Coroutine[Any, Any, Any]]
) -> Any:
    """Run `work(adapter)` on a loop of its own, and close the adapter."""

    async def whole() -> Any:
        adapter = OpenAIAdapter(connection)
        try:
            return await work(adapter)
        finally:
            await adapter.aclose()

    return asyncio.run(whole())


def complete(connection: ProviderConnection, request: CompletionRequest) -> CompletionResponse:
    response: CompletionResponse = run_with(connection, lambda adapter: adapter.complete(request))
    return response


def failure(connection: ProviderConnection, request: CompletionRequest | None = None) -> ProviderError:
    """The error that the call ends with."""
    with pytest.raises(ProviderError) as caught:
        complete(connection, request or chat("Hello there"))
    return caught.value


@pytest.fixture
def connection(loopback_provider: LoopbackProvider) -> ProviderConnection:
    return connection_to(loopback_provider.base_url)
