"""Several worker processes on one run: its driver asks others to answer items with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from apps.core.models import WorkerHeartbeat
from apps.evaluations.engine.budget import keeps_a_budget
from apps.evaluations.engine.dispatch import enqueue_assist
from apps.evaluations.models import EvalRun

#: Items for which another process is worth its while.
ITEMS_AN_ASSISTANT = 200
ALIVE = timedelta(seconds=20)
#: A process that uses so much of a processor cannot start calls as fast as it might.
BUSY = 0.9
#: How often the use of the processor is looked at.
LOOK_EVERY_S = 1.0
#: An assistant may have given way to somebody meanwhile.
CALL_AGAIN_S = 15.0
#: How often a message is passed on that comes back to the driver's own process.
MOST_TRIES = 3


class Helpers:
    """Calls assistants once this process's processor is full; until then one process alone is quicker.

    `look` is called by the driver's slice as often as it likes. The clocks tell seconds: of the wall, and of
    processor time that this process used.
    """

    def __init__(
        self,
        call: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self._call = call
        self._clock, self._processor = clock, processor
        self._since, self._used = clock(), processor()
        self._not_before = clock()

    def look(self) -> None:
        now = self._clock()
        passed = now - self._since
        if now < self._not_before or passed < LOOK_EVERY_S:
            return
        used = self._processor()
        if (used - self._used) / passed >= BUSY:
            self._not_before = now + CALL_AGAIN_S
            self._call()
        self._since, self._used = now, used


def call_assistants(run: EvalRun, *, tries: int | None = None) -> None:
    """Ask as many other processes as there are and the run has work for; with `tries`, pass one call on.

    A run with a budget is answered by one process, which knows what is under way.
    """
    if keeps_a_budget(run):
        return
    if tries is not None:
        if tries <= MOST_TRIES:
            enqueue_assist(run, tries=tries)
        return
    others = WorkerHeartbeat.objects.filter(
        queues__contains=[run.queue], seen_at__gt=timezone.now() - ALIVE
    ).count()
    pending = run.items.filter(status="pending")[: ITEMS_AN_ASSISTANT * others].count()
    for _ in range(min(others - 1, pending // ITEMS_AN_ASSISTANT)):
        enqueue_assist(run)
