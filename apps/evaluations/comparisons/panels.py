"""The panels between the cards and the rows of a comparison: what each shows, made ready for its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.breakdowns import (
    column_choices,
    distributions_panel,
    preferences_panel,
    slices_panel,
)
from apps.evaluations.comparisons.cards import (
    Metric,
    candidate_lines,
    metric_chosen,
    metrics_shown,
)
from apps.evaluations.comparisons.figures import PREFERENCE, FiguresState, unpaired_of
from apps.evaluations.comparisons.methods import method_lines
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.tradeoff import tradeoff
from apps.evaluations.comparisons.words import ROUNDING, is_share, typed, unit_word
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.statistics.power import examples_needed

CLOSED = "none"
_TITLES = {
    "candidates": "Candidates",
    "slices": "Slices",
    "distributions": "Distributions",
    "preferences": "Preferences",
    "missing": "Missing",
    "power": "Power",
    "method": "Method",
}


@dataclass(frozen=True, slots=True)
class Tab:
    """A panel that can be opened, or closed again where it is `open`, by following `query`."""

    name: str
    title: str
    query: str
    open: bool


@dataclass(frozen=True, slots=True)
class Lacking:
    """What one metric lacks on each side, and why; `query` shows its rows, "" where it has none.

    `sampled`: its values are votes, which are given on some examples only.
    """

    metric: Metric
    baseline: list[Mapping[str, Any]]
    candidate: list[Mapping[str, Any]]
    query: str
    sampled: bool


def tabs(state: ComparisonState) -> list[Tab]:
    """The panels of this comparison in order; "candidates" only where there are several."""
    opened, names = open_panel(state), _names(state)
    closed = CLOSED if "candidates" in names else ""
    return [
        Tab(name, _TITLES[name], state.query(panel=closed if name == opened else name), name == opened)
        for name in names
    ]


def open_panel(state: ComparisonState) -> str:
    """The panel that is open: the address's; with several candidates else their list; "" for none."""
    names = _names(state)
    if state["panel"] in names:
        return state["panel"]
    return "candidates" if "candidates" in names and state["panel"] != CLOSED else ""


def panel_context(state: ComparisonState, figures: FiguresState) -> dict[str, Any]:
    """What the open panel's template needs; `panel_waiting` while a part of it is being made."""
    name = open_panel(state)
    context: dict[str, Any] = {"tabs": tabs(state), "panel": name, "panel_title": _TITLES.get(name, "")}
    if name:
        context |= {"panel_template": f"evaluations/_panel_{name}.html", "figures_part": figures}
        metrics = metrics_shown(state, figures.figures)
        metric = metric_chosen(state, metrics)
        context |= {"metrics": metrics, "metric": metric} | _PANELS[name](state, figures, metric)
    part = context.get("part", figures)
    context |= {"panel_waiting": bool(name) and part.waiting, "panel_settled": part.settled}
    return context


def _names(state: ComparisonState) -> list[str]:
    return [name for name in _TITLES if name != "candidates" or len(state.candidates) > 1]


def _candidates(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    lines = candidate_lines(state, figures.figures)
    return {
        "lines": lines,
        "has_cost": any("cost" in line.measures for line in lines),
        "tradeoff": tradeoff(state, figures.figures),
    }


def _missing(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    unpaired = unpaired_of(figures.figures, state.candidate)
    lacking = [_lacking(state, one) for one in metrics_shown(state, figures.figures)]
    return {
        "lacking": lacking,
        "any_missing": any(one.metric["missing"] for one in lacking),
        "unpaired": unpaired,
        "unpaired_count": sum(unpaired.values()),
        "unpaired_query": state.query(show="unpaired"),
        "versions": state.baseline.dataset_version_id != state.candidate.dataset_version_id,
    }


def _lacking(state: ComparisonState, metric: Metric) -> Lacking:
    sampled = metric["name"] == PREFERENCE
    has_rows = bool(metric["missing"]) and metric.get("level", "item") != "run" and not sampled
    name, source = ("", "") if metric["primary"] else (metric["name"], metric["source"])
    query = state.query(metric=name, source=source, show="missing", on="", low="", high="")
    why = metric.get("lacking", {})
    shown = query if has_rows else ""
    return Lacking(metric, why.get("baseline", []), why.get("candidate", []), query=shown, sampled=sampled)


def _power(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    if metric is None:
        return {}
    wanted, spread, reach = typed(metric, state["size"]), metric.get("spread"), _reach(state, metric)
    too_large = bool(wanted and reach and wanted > reach + ROUNDING)
    needed = None
    if wanted and spread and not too_large:
        needed = examples_needed(spread=spread, difference=wanted)
    return {
        "reach": reach,
        "too_large": too_large,
        "unseen": bool(reach and (metric.get("detectable") or 0.0) > reach + ROUNDING),
        "unit": unit_word(metric),
        "size": state["size"],
        "wanted": wanted,
        "refused": bool(state["size"]) and wanted is None,
        "needed": needed,
        "enough": needed is not None and needed <= metric["n"],
        "short_by": max(0, (needed or 0) - metric["n"]),
    }


def _reach(state: ComparisonState, metric: Metric) -> float | None:
    """The largest difference that the metric can show: the length of its scale; None where it has no end."""
    if is_share(metric) or metric["name"] == PREFERENCE:
        return 1.0
    specs = state.baseline.plan.get("metrics", []) if metric["source"] == "evaluator" else []
    spec: Mapping[str, Any] = next((one for one in specs if one["name"] == metric["name"]), {})
    low, high = spec.get("low"), spec.get("high")
    return None if low is None or high is None else float(high) - float(low)


def _method(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    return {
        "method": method_lines(metrics_shown(state, figures.figures)),
        "columns": column_choices(state, state["cluster"]),
        "cluster": state["cluster"],
        "planned": primary_planned(state),
    }


def primary_planned(state: ComparisonState) -> str:
    """Before which runs the primary metric was chosen: "all", "baseline", "some"; "" where afterwards."""
    name = state.comparison.primary_metric
    planned = [planned_primary(run) == name for run in runs_of(state.comparison)]
    if not name or not any(planned):
        return ""
    return "all" if all(planned) else "baseline" if planned[0] else "some"


_PANELS: dict[str, Callable[[ComparisonState, FiguresState, Metric | None], dict[str, Any]]] = {
    "candidates": _candidates,
    "slices": slices_panel,
    "distributions": distributions_panel,
    "preferences": preferences_panel,
    "missing": _missing,
    "power": _power,
    "method": _method,
}
