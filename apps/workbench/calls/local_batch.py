"""Calls to models in memory: all that wait are answered in one batch, each streamed to its own page."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial

from apps.providers.adapters.local import settled
from apps.providers.local_model.engine import LocalEngine, Result
from apps.providers.local_model.serving import served_models
from apps.providers.process_loop import process_loop
from apps.providers.protocol import ErrorKind, ProviderError
from apps.workbench.calls.answering import finish, keep_running
from apps.workbench.calls.claims import ClaimedCall, local_calls_claim
from apps.workbench.calls.outcomes import Outcome, Stop, broken_off, completed, failed
from apps.workbench.calls.publishing import Pieces, publisher
from apps.workbench.calls.services import local_calls_enqueue
from apps.workbench.calls.stream import event_of
from apps.workbench.calls.watching import Watched, watcher
from apps.workbench.models import Call

log = logging.getLogger(__name__)

#: Rows of a batch: more would keep each of them waiting longer than a person likes.
MOST_AT_ONCE = 16
_FINISHED_WITHIN_S = 30.0


def local_calls_answer(engine: LocalEngine | None = None) -> int:
    """Answer the calls that wait, up to MOST_AT_ONCE; how many those were. What came meanwhile is next."""
    claimed = local_calls_claim(MOST_AT_ONCE)
    if not claimed:
        return 0
    batch = LocalBatch(claimed)
    try:
        batch.answer(engine or LocalEngine.shared())
    except Exception as error:
        batch.fail_rest(error)
    batch.wait()
    if Call.objects.filter(status=Call.Status.PENDING, model__provider__kind="local").exists():
        local_calls_enqueue()
    return len(claimed)


class LocalBatch:
    """The rows of one batch. The engine speaks from its thread; everything else happens on the loop."""

    def __init__(self, claimed: Sequence[ClaimedCall]) -> None:
        self._loop = process_loop()
        self._requests = [each.request for each in claimed]
        self._asked = [(each.connection.provider_id, each.request.model) for each in claimed]
        self._rows = asyncio.run_coroutine_threadsafe(_begin(claimed), self._loop).result()

    def answer(self, engine: LocalEngine) -> None:
        results = engine.generate(
            self._requests,
            served=served_models(self._asked),
            on_text=self._text,
            on_result=self._result,
            stopped=self._stopped,
        )
        for index, result in enumerate(results):
            self._result(index, result)

    def fail_rest(self, error: Exception) -> None:
        for row in self._rows:
            self._loop.call_soon_threadsafe(row.fail, error)

    def wait(self) -> None:
        """Until every row's end is written."""
        asyncio.run_coroutine_threadsafe(_all_written(self._rows), self._loop).result(_FINISHED_WITHIN_S)

    def _text(self, index: int, text: str) -> None:
        self._loop.call_soon_threadsafe(self._rows[index].take, text)

    def _result(self, index: int, result: Result) -> None:
        self._loop.call_soon_threadsafe(self._rows[index].end, result)

    def _stopped(self, index: int) -> bool:
        return self._rows[index].over


async def _begin(claimed: Sequence[ClaimedCall]) -> list[LocalRow]:
    rows = [LocalRow(each) for each in claimed]
    await asyncio.gather(*(row.begin() for row in rows))
    return rows


async def _all_written(rows: Sequence[LocalRow]) -> None:
    await asyncio.gather(*(row.written.wait() for row in rows))


class LocalRow:
    """One call of the batch, on the loop. `over` once it has ended, whatever the engine still makes of it."""

    def __init__(self, claimed: ClaimedCall) -> None:
        self._claimed = claimed
        self._event = partial(event_of, claimed.call)
        self._pieces = Pieces(claimed.page.key, self._event)
        self._began = time.perf_counter()
        self._first_token_ms: float | None = None
        self._sent = ""
        self.over = False
        self.written = asyncio.Event()

    async def begin(self) -> None:
        call = self._claimed.call
        presence = None if call.keep else self._claimed.page.presence_key
        watcher().add(Watched(call.pk, self._claimed.lease, presence, self.stop, self._lose))
        seconds = self._claimed.connection.timeout_s
        asyncio.get_running_loop().call_later(seconds, self._time_out, seconds)
        await publisher().send(self._claimed.page.key, self._event("started", model_name=call.model_name))

    def take(self, text: str) -> None:
        """All the text so far."""
        if self.over:
            return
        if self._first_token_ms is None:
            self._first_token_ms = self._elapsed_ms()
        ready = settled(text, self._claimed.request.parameters.stop)
        if ready.startswith(self._sent) and len(ready) > len(self._sent):
            self._pieces.add(ready[len(self._sent) :])
            self._sent = ready

    def end(self, result: Result) -> None:
        if isinstance(result, ProviderError):
            self.fail(result)
        elif not self.over:
            self.take(result.text)
            self._finish(
                completed(result, first_token_ms=self._first_token_ms, duration_ms=self._elapsed_ms())
            )

    def fail(self, error: Exception) -> None:
        self._finish(
            failed(
                error,
                output=self._sent,
                first_token_ms=self._first_token_ms,
                duration_ms=self._elapsed_ms(),
            )
        )

    def stop(self, why: Stop) -> None:
        self._finish(
            broken_off(
                why,
                output=self._sent,
                first_token_ms=self._first_token_ms,
                duration_ms=self._elapsed_ms(),
            )
        )

    def _time_out(self, seconds: float) -> None:
        text = f"The local model did not answer within {seconds} seconds."
        self.fail(ProviderError(text, kind=ErrorKind.TIMEOUT))

    def _lose(self) -> None:
        self._finish(None)

    def _finish(self, outcome: Outcome | None) -> None:
        """Once; None where the call is not ours any more."""
        if not self.over:
            self.over = True
            keep_running(self._write(outcome))

    async def _write(self, outcome: Outcome | None) -> None:
        try:
            await self._pieces.close()
            if outcome is not None:
                await finish(self._claimed, outcome)
        except Exception:
            log.exception("The call %s could not be finished, and waits for the sweep", self._claimed.call.pk)
        finally:
            watcher().remove(self._claimed.call.pk)
            self.written.set()

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1000
