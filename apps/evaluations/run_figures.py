"""From a run's scores to the figure that shows how they are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from apps.evaluations.charts import Series, distribution
from apps.evaluations.evaluators import Direction, MetricSpec, Scale
from apps.evaluations.models import EvalRun, ItemScore
from apps.evaluations.selectors import MetricSummary, run_metrics


@dataclass(frozen=True, slots=True)
class MetricFigure:
    """A plotly figure, which metric it shows, and its content in words for who cannot see it."""

    metric: MetricSummary
    figure: dict[str, Any]
    label: str


def metric_figure(run: EvalRun, name: str) -> MetricFigure | None:
    """The distribution of the metric called `name`, or of the first; None when the run has no score."""
    metrics = [metric for metric in run_metrics(run) if metric.n and not metric.of_run]
    metric = next((one for one in metrics if one.name == name), next(iter(metrics), None))
    if metric is None:
        return None
    figure = distribution(_spec(metric), [Series(run.name, metric_values(run, metric))])
    mean = "" if metric.mean is None else f", mean {metric.mean:.3g}"
    return MetricFigure(metric, figure, f"How {metric.title} is spread over {metric.n:,} results{mean}.")


def metric_values(run: EvalRun, metric: MetricSummary) -> list[float]:
    """Every value of the metric in the run, one per item and rater."""
    scores = ItemScore.objects.filter(
        item__run=run, metric=metric.name, source=metric.source, value__isnull=False, item__status="completed"
    )
    return [value for value in scores.values_list("value", flat=True) if value is not None]


def _spec(metric: MetricSummary) -> MetricSpec:
    return MetricSpec(
        name=metric.name,
        title=metric.title,
        direction=cast("Direction | None", metric.direction or None),
        scale=cast("Scale", metric.scale),
        unit=metric.unit,
    )
