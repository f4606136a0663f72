"""Finding runs whose work was dropped: a worker died, or the broker lost what it held."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.evaluations.comparisons.figures import ASK_AGAIN, figures_ask
from apps.evaluations.engine.dispatch import (
    enqueue_drive,
    enqueue_finalize,
    enqueue_scoring,
)
from apps.evaluations.engine.leases import PATIENCE
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.models import Comparison, ComparisonFigures, EvalItem, EvalRun

MOST_AT_ONCE = 500
Row = TypeVar("Row", bound=Model)


def sweep_runs() -> None:
    """Enqueue again whatever has a lease that ran out, or an end that was not finalised."""
    now = timezone.now()
    _drive_again(now)
    late = EvalRun.objects.filter(finalized_at=None, finished_at__lt=now - PATIENCE)
    for run in late.order_by("finished_at")[:MOST_AT_ONCE]:
        enqueue_finalize(run)
    for comparison in _without_figures(now)[:MOST_AT_ONCE]:
        figures_ask(comparison, comparison.baseline_id)
    for figures in _waited_for(now)[:MOST_AT_ONCE]:
        figures_ask(figures.comparison, figures.baseline_id, part=figures.part, column=figures.column)


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


def _without_figures(now: datetime) -> QuerySet[Comparison]:
    """Comparisons that nobody made the first figures of, though all their runs have come to their end."""
    own = ComparisonFigures.objects.filter(
        comparison=OuterRef("pk"), baseline=OuterRef("baseline"), part="metrics", column=""
    )
    return _ended(Comparison.objects.filter(created_at__lt=now - PATIENCE), "").exclude(
        Exists(own.exclude(made_at=None, asked_at=None))
    )


def _waited_for(now: datetime) -> QuerySet[ComparisonFigures]:
    """Figures that were asked for and not made."""
    late = ComparisonFigures.objects.filter(asked_at__lt=now - ASK_AGAIN).order_by("asked_at")
    return _ended(late.select_related("comparison"), "comparison__")


def _ended(rows: QuerySet[Row], comparison: str) -> QuerySet[Row]:
    unfinished = EvalRun.objects.filter(finalized_at=None)
    return rows.exclude(**{f"{comparison}baseline__in": unfinished}).exclude(
        **{f"{comparison}candidates__in": unfinished}
    )
