"""After a run's end: its summaries, and the comparisons it takes part in. Safe to do twice."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.evaluations.engine.dispatch import enqueue_comparison
from apps.evaluations.models import Comparison, EvalRun, RunMetric
from apps.evaluations.score_values import Metric, Values, metrics_of_run, values_by_example
from apps.evaluations.statistics import mean_interval


def finalize_run(run_id: UUID) -> None:
    """Compute the summary of each metric, and have the run's comparisons computed anew."""
    with transaction.atomic():
        run = EvalRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
        if run is None or not run.is_terminal or run.finalized_at is not None:
            return
        values = values_by_example(run)
        summaries = [
            _summary(run, metric, values[metric.name, metric.source]) for metric in metrics_of_run(run)
        ]
        run.metrics.all().delete()
        RunMetric.objects.bulk_create(summaries)
        run.finalized_at = timezone.now()
        run.save(update_fields=["finalized_at"])
        for comparison in Comparison.objects.filter(Q(baseline=run) | Q(candidates=run)).distinct():
            enqueue_comparison(comparison)


def _summary(run: EvalRun, metric: Metric, values: Values) -> RunMetric:
    pairs = [(value, example) for example, several in values.items() for value in several]
    interval = mean_interval(
        [value for value, _ in pairs],
        binary=metric.scale == "binary",
        clusters=[example for _, example in pairs] if run.repetitions > 1 else None,
    )
    return RunMetric(
        run=run,
        name=metric.name,
        source=metric.source,
        scale=metric.scale,
        direction=metric.direction,
        unit=metric.unit,
        n=interval.n,
        missing=run.total - interval.n,
        mean=interval.mean,
        ci_low=interval.low,
        ci_high=interval.high,
    )
