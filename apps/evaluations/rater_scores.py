"""Summaries of a run's ratings by people, made again after votes: a moment later, once for many."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from django.core.cache import cache
from django.db import transaction

from apps.core.dispatch import enqueue
from apps.evaluations.engine.finalizing import metric_summary
from apps.evaluations.models import EvalRun, RunMetric, RunTally
from apps.evaluations.score_values import metrics_of_run, values_of_metric

log = logging.getLogger(__name__)

HUMAN = "human"
SUM_TASK = "worker.evaluations.sum_ratings"
#: Votes of this many seconds are summed up together. The mark is gone before the task begins, so that a vote
#: which found the mark was saved before the task reads.
TOGETHER_S = 3
_MARK_S = 2
MOST_AT_ONCE = 500


def ratings_changed(run_ids: Iterable[UUID]) -> None:
    """Have the runs' summaries of ratings made again once the present transaction has committed."""
    for run_id in run_ids:
        transaction.on_commit(lambda run_id=run_id: _ask(run_id), robust=True)  # type: ignore[misc]


def _ask(run_id: UUID) -> None:
    try:
        first = cache.add(f"ratings-changed:{run_id}", 1, _MARK_S)
    except Exception as error:  # without the cache each vote asks for itself
        log.warning("Votes on run %s are not gathered: %s", run_id, error)
        first = True
    if first:
        enqueue(SUM_TASK, queue="default", countdown=TOGETHER_S, run_id=str(run_id))


def ratings_sum(run_id: UUID) -> None:
    """Make the run's summaries of ratings anew. Safe to do twice; a run that is not finalised waits."""
    with transaction.atomic():
        run = EvalRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
        if run is None or run.finalized_at is None:
            return
        tallies = {tally.metric: _made_of(tally) for tally in run.tallies.filter(source=HUMAN)}
        summaries = []
        for metric in metrics_of_run(run):
            if metric.source == HUMAN:
                summary = metric_summary(run, metric, values_of_metric(run, metric))
                summary.detail = {RunMetric.MADE_OF: tallies.get(metric.name)}
                summaries.append(summary)
        run.metrics.filter(source=HUMAN).delete()
        RunMetric.objects.bulk_create(summaries)


def ratings_sweep() -> None:
    """Ask again for summaries that are not of the ratings as they are now: a task was lost."""
    tallies = RunTally.objects.filter(source=HUMAN, run__finalized_at__isnull=False)
    made = {
        (row.run_id, row.name): row.detail.get(RunMetric.MADE_OF)
        for row in RunMetric.objects.filter(source=HUMAN)
    }
    late = {tally.run_id for tally in tallies if made.get((tally.run_id, tally.metric)) != _made_of(tally)}
    for run_id in sorted(late)[:MOST_AT_ONCE]:
        _ask(run_id)


def _made_of(tally: RunTally) -> list[float]:
    """How many ratings a summary is of, and their sum: another pair of numbers means that it is late."""
    return [tally.scored, tally.total]
