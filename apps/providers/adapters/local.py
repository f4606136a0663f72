"""The models in memory behind the adapter protocol: the engine, called in a thread.

For one call at a time. Runs call `LocalEngine.generate` with whole batches instead.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from apps.providers.connection import ProviderConnection
from apps.providers.local_model.engine import LocalEngine
from apps.providers.local_model.serving import ConnectedEngine, in_own_thread
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    ModelListing,
    ProviderError,
)


class LocalAdapter:
    def __init__(self, connection: ProviderConnection, engine: LocalEngine | None = None) -> None:
        self._connection = connection
        self._engine = ConnectedEngine(engine or LocalEngine.shared(), connection.provider_id)

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self._generate(request, None)

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        loop, texts = asyncio.get_running_loop(), asyncio.Queue[str | None]()
        started, first_token_s, sent = time.perf_counter(), None, ""

        def on_text(text: str) -> None:
            loop.call_soon_threadsafe(texts.put_nowait, text)

        task = asyncio.create_task(self._generate(request, on_text))
        task.add_done_callback(lambda _: texts.put_nowait(None))
        try:
            while (text := await texts.get()) is not None:
                first_token_s = first_token_s or time.perf_counter() - started
                ready = settled(text, request.parameters.stop)
                if ready.startswith(sent) and len(ready) > len(sent):
                    yield CompletionDelta(text=ready[len(sent) :])
                    sent = ready
            response = await task
        finally:
            task.cancel()
        if rest := response.text[len(sent) :]:
            yield CompletionDelta(text=rest)
        yield CompletionDelta(response=replace(response, time_to_first_token_s=first_token_s))

    async def _generate(
        self, request: CompletionRequest, on_text: Callable[[str], None] | None
    ) -> CompletionResponse:
        cancelled = threading.Event()
        started = time.perf_counter()
        report = None if on_text is None else (lambda _, text: on_text(text))
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                [result] = await asyncio.to_thread(
                    in_own_thread,
                    lambda: self._engine.generate([request], cancelled=cancelled, on_text=report),
                )
        except TimeoutError:
            raise ProviderError(
                f"The local model did not answer within {self._connection.timeout_s} seconds.",
                kind=ErrorKind.TIMEOUT,
            ) from None
        finally:
            cancelled.set()  # the thread stops at its next token when nobody waits any more
        if isinstance(result, ProviderError):
            raise result
        return replace(result, duration_s=time.perf_counter() - started)

    async def list_models(self) -> list[ModelListing]:
        return await asyncio.to_thread(in_own_thread, self._engine.listings)

    async def aclose(self) -> None:
        """Nothing: the model stays in memory for the next call."""


def settled(text: str, stops: tuple[str, ...]) -> str:
    """The part of a growing text that later tokens cannot take back."""
    text = text.rstrip("\ufffd")
    for stop in stops:
        if stop and stop in text:
            return text[: text.index(stop)]
    held = max((_overlap(text, stop) for stop in stops if stop), default=0)
    return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next(
        (size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0
    )
