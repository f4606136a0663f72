"""Getting answers: many calls at once on the process's one asyncio loop, or batches on the local model."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import datetime

from django.utils import timezone

from apps.evaluations.engine import Answer, Failure, WorkItem
from apps.evaluations.requests import RequestBuilder
from apps.prompts.rendering import RenderError
from apps.providers.connection import ProviderConnection
from apps.providers.protocol import CompletionRequest, ProviderError
from apps.providers.registry import adapter_for

log = logging.getLogger(__name__)

_loop_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def process_loop() -> asyncio.AbstractEventLoop:
    """The one asyncio loop of this process, running in a thread of its own."""
    global _loop
    with _loop_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="model-calls", daemon=True).start()
        return _loop


class CallPool:
    """Calls to one provider, at most `size` at once. Made and used by one thread."""

    def __init__(self, connection: ProviderConnection, builder: RequestBuilder, size: int) -> None:
        self._connection = connection
        self._builder = builder
        self._size = size
        self._calls: dict[Future[Answer], WorkItem] = {}

    @property
    def free(self) -> int:
        return max(0, self._size - len(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def start(self, item: WorkItem) -> None:
        future = asyncio.run_coroutine_threadsafe(self._answer(item), process_loop())
        self._calls[future] = item

    def finished(self, timeout_s: float) -> list[Answer]:
        """The answers that are there, after waiting at most `timeout_s` for the first of them."""
        done, _ = wait(self._calls, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            del self._calls[future]
        return [future.result() for future in done]

    def drop(self) -> None:
        """Cancel the calls under way; their items are answered by whoever claims them next."""
        for future in self._calls:
            future.cancel()
        self._calls.clear()

    async def _answer(self, item: WorkItem) -> Answer:
        started = timezone.now()
        request: CompletionRequest | None = None
        try:
            request = self._builder.build(item)
            response = await adapter_for(self._connection).complete(request)
            return Answer(item, started, request, response=response)
        except asyncio.CancelledError:
            raise
        except Exception as exc:
            return Answer(item, started, request, failure=failure_of(exc))


def answer_batch(
    items: Sequence[WorkItem], builder: RequestBuilder, generate: Callable[..., Sequence[object]]
) -> list[Answer]:
    """Answer items in one go with a function that takes a list of requests (the local model)."""
    started = timezone.now()
    answers: list[Answer] = []
    requests: list[tuple[WorkItem, CompletionRequest]] = []
    for item in items:
        try:
            requests.append((item, builder.build(item)))
        except RenderError as exc:
            answers.append(Answer(item, started, failure=failure_of(exc)))
    if requests:
        answers += _generated(requests, generate, started)
    return answers


def _generated(
    requests: Sequence[tuple[WorkItem, CompletionRequest]],
    generate: Callable[..., Sequence[object]],
    started: datetime,
) -> list[Answer]:
    try:
        outcomes = generate([request for _, request in requests])
    except Exception as exc:
        return [Answer(item, started, request, failure=failure_of(exc)) for item, request in requests]
    return [
        Answer(item, started, request, failure=failure_of(outcome))
        if isinstance(outcome, ProviderError)
        else Answer(item, started, request, response=outcome)  # type: ignore[arg-type]
        for (item, request), outcome in zip(requests, outcomes, strict=True)
    ]


def failure_of(error: Exception) -> Failure:
    """Why an item has no answer, in words for the person who reads the run."""
    if isinstance(error, ProviderError):
        return Failure.of(error)
    if isinstance(error, RenderError):
        return Failure(kind="render", message=str(error))
    log.error("Answering an item failed", exc_info=error)
    return Failure(
        kind="internal", message=f"Answering failed inside the worker: {type(error).__name__}: {error}"
    )
