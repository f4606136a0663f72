"""Waiting for a call's end on the web server's loop: no thread works meanwhile, and no query is repeated.

The call's stream tells every piece and the end as they happen, whichever process has the call; the row is
looked at only after a silence, as the stream may be lost with its server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections

from apps.feedback.completing.errors import CompletionTimedOut, TooManyWaiting
from apps.workbench.calls.database_threads import in_database
from apps.workbench.calls.finishing import ENDS
from apps.workbench.calls.following import BEGINNING, block_ms, client_of_loop, events_in
from apps.workbench.calls.services import call_stop
from apps.workbench.calls.stream import Page, away_ms
from apps.workbench.models import Call

log = logging.getLogger(__name__)

#: Requests that may wait at once for one key or person, and on one web process.
MOST_OF_ONE = 200
MOST_WAITING = 500
#: After so many seconds without an event, the row is asked.
SILENCE_S = 10.0
_AT_ONCE = 500
_PAUSE_S = 1.0
_waiting: Counter[str] = Counter()
_ENDS = set(ENDS.values())
_TOLD = {"text"} | _ENDS


def refuse_too_many(owner: str) -> None:
    """Raises TooManyWaiting. `owner` is an actor's kind and id: "api_key:<id>"."""
    if _waiting[owner] >= MOST_OF_ONE or _waiting.total() >= MOST_WAITING:
        raise TooManyWaiting("Too many requests are waiting for an answer. Try again in some seconds.")


async def call_events(call: Call, *, within_s: float) -> AsyncIterator[dict[str, Any]]:
    """The call's events of type "text", then the one of its end, once its row is written.

    Raises CompletionTimedOut, TooManyWaiting. Without `keep` the call stops when this is left before its end.
    """
    page, ended = Page.of_call(call), False
    await sync_to_async(connections.close_all)()
    listener, looked = _Listener(page, call), time.monotonic()
    ends_at = looked + within_s
    try:
        with _counted(page.owner):
            while not ended:
                if (left := ends_at - time.monotonic()) <= 0:
                    raise _timed_out(call, within_s)
                events = await listener.listen(seconds=left)
                if not events and time.monotonic() - looked >= SILENCE_S:
                    events = await in_database(lambda: _end_of(call.pk))
                if events:
                    looked = time.monotonic()
                for event in events:
                    ended = ended or event["type"] in _ENDS
                    yield event
    finally:  # also when so many came at once that this one is refused
        if not ended and not call.keep:
            await asyncio.shield(_stop(call))


class _Listener:
    """Listens to one call's stream, and lets the worker know that somebody does."""

    def __init__(self, page: Page, call: Call) -> None:
        self._page, self._call = page, str(call.pk)
        self._after = BEGINNING
        self._noted: float | None = None

    async def listen(self, *, seconds: float) -> list[dict[str, Any]]:
        """The pieces that came since the last time, and the end; nothing after a while of silence."""
        client, now = client_of_loop(), time.monotonic()
        try:
            if self._noted is None or now - self._noted > away_ms() / 4000:
                await client.set(self._page.presence_key, "1", px=away_ms())
                self._noted = now
            block = max(1, min(block_ms(), int(1000 * seconds)))
            found = events_in(await client.xread({self._page.key: self._after}, block=block, count=_AT_ONCE))
        except Exception as error:  # Valkey is away for a moment; the row is not
            log.info("A request waits for Valkey: %s", error)
            await asyncio.sleep(min(_PAUSE_S, seconds))
            return []
        if found:
            self._after = found[-1][0]
        events = [json.loads(written) for _, written in found]
        return [e for e in events if e.get("call") == self._call and e.get("type") in _TOLD]


def call_read(id: UUID) -> Call:
    """The row as it is now, with what the answer tells of it."""
    return Call.objects.select_related("prompt", "prompt_version").get(pk=id)


def _end_of(id: UUID) -> list[dict[str, Any]]:
    """The event of the end, where the row has one and the stream did not tell."""
    status = Call.Status(Call.objects.values_list("status", flat=True).get(pk=id))
    return [{"type": ENDS[status]}] if status in ENDS else []


def _timed_out(call: Call, within_s: float) -> CompletionTimedOut:
    after = "It goes on: ask for it by its id." if call.keep else "It was stopped."
    return CompletionTimedOut(
        f"The call has no answer after {within_s:g} seconds. {after}", call_id=str(call.pk)
    )


async def _stop(call: Call) -> None:
    try:
        await in_database(lambda: call_stop(call=call))
    except Exception:
        log.exception("Call %s, for which nobody waits, could not be stopped", call.pk)


@contextmanager
def _counted(owner: str) -> Iterator[None]:
    refuse_too_many(owner)
    _waiting[owner] += 1
    try:
        yield
    finally:
        _waiting[owner] -= 1
        if not _waiting[owner]:
            del _waiting[owner]
