"""After a run's end: its summaries, and the comparisons it takes part in. Safe to do twice."""

from __future__ import annotations

from statistics import fmean, stdev
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.evaluations.comparisons.figures import figures_ask
from apps.evaluations.engine.at_end import at_end, score_at_end
from apps.evaluations.engine.whole_runs import whole_run_metrics
from apps.evaluations.models import Comparison, EvalRun, EvaluatorVersion, RunMetric
from apps.evaluations.score_values import Metric, Values, metrics_of_run, values_of_metric
from apps.evaluations.statistics import mean_interval


def finalize_run(run_id: UUID) -> None:
    """Compute the summary of each metric, and have the run's comparisons computed anew."""
    with transaction.atomic():
        run = EvalRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
        if run is None or not run.is_terminal or run.finalized_at is not None:
            return
        versions = list(run.evaluator_versions.select_related("evaluator").order_by("evaluator__slug"))
        score_at_end(run, at_end(versions), [metric.name for metric in metrics_of_run(run)])
        run.metrics.all().delete()
        RunMetric.objects.bulk_create(_summaries(run, versions))
        run.finalized_at = timezone.now()
        run.save(update_fields=["finalized_at"])
        for comparison in Comparison.objects.filter(Q(baseline=run) | Q(candidates=run)).distinct():
            figures_ask(comparison, comparison.baseline_id, anew=True)


def _summaries(run: EvalRun, versions: list[EvaluatorVersion]) -> list[RunMetric]:
    """One a metric, in the plan's order; rules come to their verdict when the other figures are there."""
    found = [metric_summary(run, metric, values_of_metric(run, metric)) for metric in metrics_of_run(run)]
    rules = at_end(versions)
    for version in [*(version for version in versions if version not in rules), *rules]:
        found += whole_run_metrics(run, version, {summary.name: summary.mean for summary in found})
    order = {spec["name"]: place for place, spec in enumerate(run.plan.get("metrics", []))}
    return sorted(found, key=lambda summary: order.get(summary.name, len(order)))


def metric_summary(run: EvalRun, metric: Metric, values: Values) -> RunMetric:
    """The summary of one metric of items, unsaved."""
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
        spread=spread(values) if run.repetitions > 1 else None,
    )


def spread(values: Values) -> float | None:
    """How much repetitions differ: the standard deviation (n - 1) between an example's repetitions, averaged
    over the examples that have two or more; None without any.
    """
    deviations = [stdev(several) for several in values.values() if len(several) > 1]
    return fmean(deviations) if deviations else None
