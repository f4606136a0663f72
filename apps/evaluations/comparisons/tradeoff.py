"""Quality against cost: one point a run, where there are three runs or more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """The figure, what it shows in words, and what the reader has to know of its axes."""

    figure: Figure
    label: str
    note: str = ""


def tradeoff(state: ComparisonState, figures: Mapping[str, Any] | None) -> Tradeoff | None:
    """The primary metric against cost; against latency where costs tell nothing: fewer than two runs know
    theirs, or all of them are zero.
    """
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
        if len(spots) > 1 and any(spot.cost for spot in spots):
            said = "; ".join(
                f"{spot.name}: {mean(metric, spot.quality)}, {mean(measure, spot.cost)}" for spot in spots
            )
            title = f"{metric['title']} against {measure['title'].lower()}"
            note = "" if column == "cost_usd" else _no_cost(summaries.values())
            label = f"{title}. {said}. {note}".strip()
            return Tradeoff(tradeoff_figure(spots, metric, measure), label, note)
    return None


def _no_cost(summaries: Iterable[Mapping[str, Any]]) -> str:
    known = any(one.get("cost_usd") for one in summaries)
    why = "No call of these runs cost anything" if known else "What these runs cost is not known"
    return f"{why}, so latency stands in its place."


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
