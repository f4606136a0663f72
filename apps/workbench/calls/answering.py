"""Answering a call on the worker's loop: from the provider's stream to the page's, and into the row.

A task hands the call to the loop and is done, so that a few threads carry as many streams as there are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from apps.providers.limiter import one_turn
from apps.providers.process_loop import process_loop
from apps.providers.protocol import CompletionResponse, ErrorKind, ProviderError
from apps.providers.registry import adapter_for
from apps.workbench.calls.claims import ClaimedCall, calls_claim
from apps.workbench.calls.database_threads import in_database
from apps.workbench.calls.finishing import call_store, end_event
from apps.workbench.calls.outcomes import (
    STOPPED,
    WORKER_STOPPED,
    Outcome,
    Stop,
    broken_off,
    completed,
    failed,
)
from apps.workbench.calls.publishing import Pieces, publisher
from apps.workbench.calls.stream import event_of
from apps.workbench.calls.watching import Watched, watcher
from apps.workbench.models import Call

log = logging.getLogger(__name__)

#: A longer answer is broken off: nobody reads it, and every page that looks would have to hold it.
MOST_OUTPUT_CHARS = 1_000_000
#: Seconds before each further try to write an end to a database that does not answer.
STORE_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0)
#: The loop keeps only weak references to its tasks.
_under_way: set[asyncio.Task[None]] = set()


def call_answer(call_id: UUID) -> None:
    """Claim the call and have the process's loop answer it. Returns at once."""
    for claimed in calls_claim([call_id]):
        process_loop().call_soon_threadsafe(_begin, claimed)


def _begin(claimed: ClaimedCall) -> None:
    keep_running(answer(claimed))


def keep_running(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """`work` as a task of the running loop, which is not forgotten before it is done."""
    task = asyncio.get_running_loop().create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


def calls_break_off(within_s: float) -> None:
    """The process ends: write what its calls have so far, as far as that is done in time."""

    async def all_stopped() -> None:
        watcher().stop_all(WORKER_STOPPED)
        if _under_way:
            await asyncio.wait(_under_way, timeout=within_s)

    if _under_way:
        asyncio.run_coroutine_threadsafe(all_stopped(), process_loop()).result(within_s + 1)


async def answer(claimed: ClaimedCall) -> None:
    """Make the call, tell its page of it piece by piece, and write how it ended."""
    answering = Answering(claimed)
    try:
        outcome = await answering.outcome()
        if outcome is not None:
            await finish(claimed, outcome)
    except Exception:
        log.exception("The call %s could not be finished, and waits for the sweep", claimed.call.pk)
    finally:
        watcher().remove(claimed.call.pk)


async def finish(claimed: ClaimedCall, outcome: Outcome) -> None:
    """Write the end, if the call is still ours; then, and only then, tell the page."""
    ours = Call.objects.filter(pk=claimed.call.pk, lease=claimed.lease, status=Call.Status.RUNNING)
    for wait in (*STORE_AGAIN_AFTER_S, None):
        try:
            call = await in_database(lambda: call_store(ours.all(), outcome))
            break
        except Exception:
            if wait is None:
                raise
            log.warning("The end of call %s could not be written yet", claimed.call.pk, exc_info=True)
            await asyncio.sleep(wait)
    if call is not None:
        await publisher().send(claimed.page.key, end_event(call))


class Answering:
    """One call under way: what came so far, and whether it is to stop."""

    def __init__(self, claimed: ClaimedCall) -> None:
        self._claimed = claimed
        self._event = partial(event_of, claimed.call)
        self._texts: list[str] = []
        self._chars = 0
        self._began = time.perf_counter()
        self._first_token_ms: float | None = None
        self._stopped: Stop | None = None
        self._lost = False

    async def outcome(self) -> Outcome | None:
        """How it ended; None when the call was taken from us."""
        streaming = asyncio.create_task(self._stream())
        self._watch(streaming)
        try:
            response = await streaming
        except asyncio.CancelledError:
            if self._lost:
                return None
            return broken_off(self._stopped or STOPPED, **self._so_far())
        except Exception as error:
            return failed(error, **self._so_far())
        return completed(
            response, first_token_ms=self._first_token_ms, duration_ms=response.duration_s * 1000
        )

    def _watch(self, streaming: asyncio.Task[CompletionResponse]) -> None:
        def stop(why: Stop) -> None:
            self._stopped = self._stopped or why
            streaming.cancel()

        def lose() -> None:
            self._lost = True
            streaming.cancel()

        call, page = self._claimed.call, self._claimed.page
        presence = None if call.keep else page.presence_key
        watcher().add(Watched(call.pk, self._claimed.lease, presence, stop, lose))

    async def _stream(self) -> CompletionResponse:
        connection, key = self._claimed.connection, self._claimed.page.key
        await publisher().send(key, self._event("started", model_name=self._claimed.call.model_name))
        places = places_at(connection.provider_id, connection.max_concurrency)
        if places.locked():
            await publisher().send(key, self._event("waiting", at_once=connection.max_concurrency))
        async with places:
            await one_turn(connection, tokens=self._claimed.request.parameters.max_tokens or 0)
            self._began = time.perf_counter()
            pieces = Pieces(key, self._event)
            try:
                return await self._read(pieces)
            finally:
                await pieces.close()

    async def _read(self, pieces: Pieces) -> CompletionResponse:
        response: CompletionResponse | None = None
        stream: Any = adapter_for(self._claimed.connection).stream(self._claimed.request)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                response = delta.response or response
                if not delta.text:
                    continue
                if self._first_token_ms is None:
                    self._first_token_ms = self._elapsed_ms()
                self._texts.append(delta.text)
                self._chars += len(delta.text)
                pieces.add(delta.text)
                if self._chars > MOST_OUTPUT_CHARS:
                    raise ProviderError(
                        f"The answer is longer than {MOST_OUTPUT_CHARS:,} characters and was broken off. "
                        "Set max_tokens in the parameters.",
                        kind=ErrorKind.BAD_RESPONSE,
                    )
        if response is None:
            raise ProviderError("The provider's stream ended early.", kind=ErrorKind.BAD_RESPONSE)
        return response

    def _so_far(self) -> dict[str, Any]:
        return {
            "output": "".join(self._texts),
            "first_token_ms": self._first_token_ms,
            "duration_ms": self._elapsed_ms(),
        }

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1000


_PLACES: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], asyncio.Semaphore]] = (
    WeakKeyDictionary()
)


def places_at(provider_id: str, most: int) -> asyncio.Semaphore:
    """As many calls at once as the provider is set to take, of this process."""
    places = _PLACES.setdefault(asyncio.get_running_loop(), {})
    return places.setdefault((provider_id, most), asyncio.Semaphore(most))
