"""After a slice: the next one, the scoring, a wait for the next attempt, or the end."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Min
from django.utils import timezone

from apps.evaluations.engine.dispatch import enqueue_drive, enqueue_scoring
from apps.evaluations.engine.leases import run_release
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.engine.states import eval_run_complete
from apps.evaluations.models import EvalRun

#: While others hold the rest, look again so often: they may be done, or dead.
LOOK_AGAIN = timedelta(seconds=1)


def hand_over(run: EvalRun, *, at_least: timedelta = timedelta(0)) -> None:
    """Let go of the run and enqueue what comes next, `at_least` from now or later; end it when it is done."""
    status = next((name for name in ("pending", "answered") if run.items.filter(status=name).exists()), None)
    if status is None:
        eval_run_complete(run=run)
        return
    wait = max(at_least, _wait_for_work(run, status))
    if not run_release(run, wait=wait):
        return
    countdown = wait.total_seconds() or None
    if status == "pending":
        enqueue_drive(run, countdown=countdown)
    else:
        enqueue_scoring(run, earliest_stage(run), countdown=countdown)


def _wait_for_work(run: EvalRun, status: str) -> timedelta:
    """How long until an item may be tried: none when one is free now."""
    now = timezone.now()
    waiting = run.items.filter(status=status)
    free = waiting.exclude(lease_until__gt=now)
    if free.filter(next_attempt_at=None).exists():
        return timedelta(0)
    soonest = free.aggregate(Min("next_attempt_at"))["next_attempt_at__min"]
    waits = [] if soonest is None else [soonest - now]
    if waiting.filter(lease_until__gt=now).exists():
        waits.append(LOOK_AGAIN)
    return max(timedelta(0), min(waits)) if waits else timedelta(0)
