"""One watcher for all calls of a worker's loop: it keeps their claims, and stops those that are to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

from apps.workbench.calls.claims import claims_look, claims_renew
from apps.workbench.calls.database_threads import in_database
from apps.workbench.calls.outcomes import PAGE_LEFT, STOPPED, Stop
from apps.workbench.calls.publishing import publisher

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
RENEW_EVERY_S = 4.0
PRESENCE_EVERY_S = 1.0


@dataclass(slots=True)
class Watched:
    """A call under way. `stop(why)` ends it; `lose()` drops it: it is somebody else's now, or ended."""

    call_id: UUID
    lease: UUID
    #: None for a call that goes on without its page.
    presence_key: str | None
    stop: Callable[[Stop], None]
    lose: Callable[[], None]
    #: Looks in a row at which its page was not there: one may be a Valkey that was started anew.
    missed: int = 0


class Watcher:
    """Used on its loop only."""

    def __init__(self) -> None:
        self._watched: dict[UUID, Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self._told = False

    def add(self, watched: Watched) -> None:
        self._watched[watched.call_id] = watched
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    def remove(self, call_id: UUID) -> None:
        self._watched.pop(call_id, None)

    def stop_all(self, why: Stop) -> None:
        for watched in list(self._watched.values()):
            watched.stop(why)

    async def _watch(self) -> None:
        renewed = looked_for_pages = time.monotonic()
        try:
            while self._watched:
                await asyncio.sleep(LOOK_EVERY_S)
                now = time.monotonic()
                try:
                    await self._look()
                    if now - renewed >= RENEW_EVERY_S:
                        await self._renew()
                        renewed = now
                    if now - looked_for_pages >= PRESENCE_EVERY_S:
                        looked_for_pages = now
                        await self._look_for_pages()
                    self._told = False
                except Exception:  # a server may be away for a moment; the claim says who wins then
                    if not self._told:
                        log.warning("Calls under way could not be watched", exc_info=True)
                    self._told = True
        finally:
            self._task = None

    async def _look(self) -> None:
        watched = list(self._watched.values())
        if not watched:
            return
        found = await in_database(lambda: claims_look([each.call_id for each in watched]))
        for each in watched:
            lease, stop = found.get(each.call_id, (None, False))
            if lease != each.lease:
                each.lose()
            elif stop:
                each.stop(STOPPED)

    async def _renew(self) -> None:
        claims = [(each.call_id, each.lease) for each in self._watched.values()]
        if claims:
            await in_database(lambda: claims_renew(claims))

    async def _look_for_pages(self) -> None:
        watched = [each for each in self._watched.values() if each.presence_key]
        if not watched:
            return
        there = await publisher().present([each.presence_key or "" for each in watched])
        for each, present in zip(watched, there, strict=True):
            each.missed = 0 if present else each.missed + 1
            if each.missed > 1:
                each.stop(PAGE_LEFT)


_WATCHERS: WeakKeyDictionary[asyncio.AbstractEventLoop, Watcher] = WeakKeyDictionary()


def watcher() -> Watcher:
    """The running loop's watcher."""
    return _WATCHERS.setdefault(asyncio.get_running_loop(), Watcher())
