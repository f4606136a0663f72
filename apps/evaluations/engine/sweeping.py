"""Finding runs whose work was dropped: a worker died, or the broker lost what it held."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from apps.evaluations.engine.dispatch import (
    enqueue_comparison,
    enqueue_drive,
    enqueue_finalize,
    enqueue_scoring,
)
from apps.evaluations.engine.leases import PATIENCE
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.models import Comparison, EvalItem, EvalRun

MOST_AT_ONCE = 500


def sweep_runs() -> None:
    """Enqueue again whatever has a lease that ran out, or an end that was not finalised."""
    now = timezone.now()
    _drive_again(now)
    late = EvalRun.objects.filter(finalized_at=None, finished_at__lt=now - PATIENCE)
    for run in late.order_by("finished_at")[:MOST_AT_ONCE]:
        enqueue_finalize(run)
    for comparison in _stale_comparisons(now)[:MOST_AT_ONCE]:
        enqueue_comparison(comparison)


def _drive_again(now: datetime) -> None:
    abandoned = (
        EvalRun.objects.filter(Q(status="running") | Q(status="pending", recorded=False))
        .filter(Q(driver_lease_until=None) | Q(driver_lease_until__lt=now))
        .annotate(to_answer=Exists(EvalItem.objects.filter(run=OuterRef("pk"), status="pending")))
        .annotate(to_score=Exists(EvalItem.objects.filter(run=OuterRef("pk"), status="answered")))
        .order_by(F("driver_lease_until").asc(nulls_first=True))
    )
    for run in abandoned[:MOST_AT_ONCE]:
        # Only whoever marks it sends it, and then not again for a while.
        unchanged = EvalRun.objects.filter(pk=run.pk, driver_token=run.driver_token)
        if not unchanged.update(driver_lease_until=now + PATIENCE):
            continue
        if run.recorded or (run.to_score and not run.to_answer):
            enqueue_scoring(
                run, earliest_stage(run)
            )  # of a recorded run with nothing left, the slice ends it
        else:
            enqueue_drive(run)


def _stale_comparisons(now: datetime) -> list[Comparison]:
    unfinished = EvalRun.objects.filter(finalized_at=None)
    return list(
        Comparison.objects.filter(result=None, result_error="", created_at__lt=now - PATIENCE)
        .exclude(baseline__in=unfinished)
        .exclude(candidates__in=unfinished)
    )
