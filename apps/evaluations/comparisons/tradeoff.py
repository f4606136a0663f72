"""Quality against cost: one point a run, where there are three runs or more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.cards import Metric, metrics_shown, primary_metric
from apps.evaluations.comparisons.charts import Figure, Spot, tradeoff_figure
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.words import mean
from apps.evaluations.models import EvalRun

FEWEST_RUNS = 3
_MEASURES = (
    ("cost_usd", {"unit": "usd", "title": "Mean cost of a call"}),
    ("latency_ms", {"unit": "ms", "title": "Mean latency of a call"}),
)


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """The figure, and what it shows in words."""

    figure: Figure
    label: str


def tradeoff(state: ComparisonState, figures: Mapping[str, Any] | None) -> Tradeoff | None:
    """The primary metric against cost, or against latency where fewer than two runs know their cost."""
    runs = runs_of(state.comparison)
    metric = next(
        (found for run in state.candidates if (found := primary_metric(metrics_shown(state, figures, run)))),
        None,
    )
    if len(runs) < FEWEST_RUNS or metric is None:
        return None
    summaries = {one["run"]: one for one in (figures or {}).get("runs", [])}
    for column, measure in _MEASURES:
        drawn = [_spot(state, summaries.get(str(run.pk)), run, metric, column) for run in runs]
        spots = [spot for spot in drawn if spot is not None]
        if len(spots) > 1:
            said = "; ".join(
                f"{spot.name}: {mean(metric, spot.quality)}, {mean(measure, spot.cost)}" for spot in spots
            )
            title = f"{metric['title']} against {measure['title'].lower()}"
            return Tradeoff(tradeoff_figure(spots, metric, measure), f"{title}. {said}.")
    return None


def _spot(
    state: ComparisonState, summary: Mapping[str, Any] | None, run: EvalRun, metric: Metric, column: str
) -> Spot | None:
    """None where the run lacks the metric or the measure."""
    if summary is None or not summary.get(column) or summary[column]["mean"] is None:
        return None
    same = (metric["name"], metric["source"])
    quality = next((one for one in summary["metrics"] if (one["name"], one["source"]) == same), None)
    if quality is None or quality["mean"] is None:
        return None
    return Spot(
        number=run.number,
        name=run.name,
        cost=summary[column]["mean"],
        quality=quality["mean"],
        low=quality["low"],
        high=quality["high"],
        query=state.query() if run == state.baseline else state.query(candidate=run),
    )
