"""Several worker processes on one run: its driver asks others to answer items with it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.core.models import WorkerHeartbeat
from apps.evaluations.engine.budget import keeps_a_budget
from apps.evaluations.engine.dispatch import enqueue_assist
from apps.evaluations.models import EvalRun

#: Items for which another process is worth its while.
ITEMS_AN_ASSISTANT = 200
ALIVE = timedelta(seconds=20)
#: How often a message is passed on that comes back to the driver's own process.
MOST_TRIES = 3


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
