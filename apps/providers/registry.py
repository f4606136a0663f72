"""From a provider's connection to the adapter that speaks to it.

Within an asyncio loop an adapter is made once per connection and used again, so that its pool of
open connections is too. A connection that changed (a new key, another URL) gets a new adapter; the
old one is closed when its last call has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from weakref import WeakKeyDictionary

from apps.providers.connection import FAKE, LOCAL, OPENAI, ProviderConnection
from apps.providers.protocol import (
    Adapter,
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ModelListing,
)
from apps.providers.webhooks import WEBHOOK

#: Adapters kept open in one loop; the least recently used goes first.
MAX_OPEN = 64


def make_adapter(connection: ProviderConnection) -> Adapter:
    """A new adapter. Heavy libraries load here, for the kind that needs them only."""
    return _FACTORIES[connection.kind](connection)


def _openai(connection: ProviderConnection) -> Adapter:
    from apps.providers.adapters.openai import OpenAIAdapter

    return OpenAIAdapter(connection)


def _local(connection: ProviderConnection) -> Adapter:
    from apps.providers.adapters.local import LocalAdapter

    return LocalAdapter(connection)


def _fake(connection: ProviderConnection) -> Adapter:
    from apps.providers.adapters.fake import FakeAdapter

    return FakeAdapter(connection)


def _webhook(connection: ProviderConnection) -> Adapter:
    from apps.providers.adapters.webhook import WebhookAdapter

    return WebhookAdapter(connection)


_FACTORIES: dict[str, Callable[[ProviderConnection], Adapter]] = {
    OPENAI: _openai,
    LOCAL: _local,
    FAKE: _fake,
    WEBHOOK: _webhook,
}


class SharedAdapter:
    """An adapter that is not closed under a call. Keeping to limits is its callers' (see `limiter`)."""

    def __init__(self, inner: Adapter) -> None:
        self._inner = inner
        self.calls = 0

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        self.calls += 1
        try:
            return await self._inner.complete(request)
        finally:
            self.calls -= 1

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        self.calls += 1
        try:
            async for delta in self._inner.stream(request):
                yield delta
        finally:
            self.calls -= 1

    async def list_models(self) -> list[ModelListing]:
        self.calls += 1
        try:
            return await self._inner.list_models()
        finally:
            self.calls -= 1

    async def aclose(self) -> None:
        """Nothing: others share this adapter. `close_adapters` closes it."""

    async def really_close(self) -> None:
        await self._inner.aclose()


class _LoopAdapters:
    """The adapters of one loop, in order of last use."""

    def __init__(self) -> None:
        self.open: dict[ProviderConnection, SharedAdapter] = {}
        self.retired: list[SharedAdapter] = []
        self.closing: set[asyncio.Task[None]] = set()

    def get(self, connection: ProviderConnection) -> SharedAdapter:
        found = self.open.pop(connection, None) or SharedAdapter(make_adapter(connection))
        for other in [key for key in self.open if key.provider_id == connection.provider_id]:
            self.retired.append(self.open.pop(other))
        self.open[connection] = found
        while len(self.open) > MAX_OPEN:
            self.retired.append(self.open.pop(next(iter(self.open))))
        self._close_idle()
        return found

    def _close_idle(self) -> None:
        for adapter in [adapter for adapter in self.retired if adapter.calls == 0]:
            self.retired.remove(adapter)
            task = asyncio.get_running_loop().create_task(adapter.really_close())
            self.closing.add(task)
            task.add_done_callback(self.closing.discard)


_ADAPTERS: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopAdapters] = WeakKeyDictionary()


def adapter_for(connection: ProviderConnection) -> Adapter:
    """The running loop's adapter for this connection. Outside a loop: a new one, yours to close.

    Raises ProviderError(BAD_REQUEST) when the connection's base URL is refused.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return make_adapter(connection)
    return _ADAPTERS.setdefault(loop, _LoopAdapters()).get(connection)


async def close_adapters() -> None:
    """Close all adapters of the running loop; for a worker that shuts down."""
    adapters = _ADAPTERS.pop(asyncio.get_running_loop(), None)
    if adapters is not None:
        every = [*adapters.open.values(), *adapters.retired]
        await asyncio.gather(*(adapter.really_close() for adapter in every), return_exceptions=True)
