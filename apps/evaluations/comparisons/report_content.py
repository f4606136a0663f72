"""What the report of a comparison holds: one dictionary for its template, of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.evaluations.comparisons.breakdowns import column_title, preferences_panel
from apps.evaluations.comparisons.cards import (
    Card,
    Metric,
    card_of,
    measure_cards,
    metric_cards,
    metric_chosen,
    metrics_shown,
    verdict_on,
)
from apps.evaluations.comparisons.decision_record import decisions_of
from apps.evaluations.comparisons.figures import FiguresState, entry_for
from apps.evaluations.comparisons.methods import method_lines
from apps.evaluations.comparisons.panels import primary_planned
from apps.evaluations.comparisons.report_parts import ReportParts
from apps.evaluations.comparisons.report_rows import report_rows
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.verdict import Verdict
from apps.evaluations.models import ComparisonFigures, EvalRun
from apps.evaluations.presentation import Named, plan_facts

Part = ComparisonFigures.Part
#: Cost and latency have intervals, and no tests.
_UNTESTED: Metric = {"p_value": None, "p_adjusted": None}


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One of the runs: its plan in words, and what its calls took. `figures` is its entry of the metrics."""

    run: EvalRun
    is_baseline: bool
    facts: list[Named]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportCandidate:
    """A candidate with its verdict, its metrics, and cost and latency."""

    run: EvalRun
    verdict: Verdict | None
    cards: list[Card]
    measures: list[Card]


@dataclass(frozen=True, slots=True)
class ReportSlices:
    """One metric by the values of a column. `groups` pair a label with the card of its examples."""

    column: str
    metric: Metric
    groups: list[tuple[str, Card, bool]]


def report_content(state: ComparisonState, parts: ReportParts) -> dict[str, Any]:
    """Everything about the chosen candidate, and the metrics of each other, by the figures that are kept."""
    figures = parts.metrics
    comparison, made = state.comparison, figures.figures
    metrics = metrics_shown(state, made)
    chosen = metric_chosen(state, metrics)
    kept = list(comparison.figures.filter(baseline=state.baseline).exclude(figures=None))
    whole = next((row for row in kept if (row.part, row.column) == (Part.METRICS, state["cluster"])), None)
    entry = entry_for(made, state.candidate) or {}
    first = [state.candidate, *(run for run in state.candidates if run != state.candidate)]
    return {
        "comparison": comparison,
        "baseline": state.baseline,
        "candidate": state.candidate,
        "runs": _runs(state, made),
        "candidates": [_candidate(state, figures, run) for run in first],
        "decisions": decisions_of(comparison),
        "made_at": whole.made_at if whole else None,
        "stale": figures.stale,
        "unfinished": figures.unfinished,
        "error": figures.error,
        "computed": made is not None,
        "cluster": state["cluster"],
        "planned": primary_planned(state),
        "method": method_lines(metrics),
        "lacking": [metric for metric in metrics if metric["missing"]],
        "unpaired": entry.get("unpaired") or {},
        "slices": _slices(state, metrics, parts),
        "left_out": parts.left_out(),
        "not_sliced": parts.not_sliced,
        "preferences": preferences_panel(state, figures, chosen)["sources"],
        **report_rows(state, chosen),
    }


def _runs(state: ComparisonState, made: dict[str, Any] | None) -> list[ReportRun]:
    measured = {entry["run"]: entry for entry in (made or {}).get("runs", [])}
    ordered = [state.baseline, *(run for run in runs_of(state.comparison) if run != state.baseline)]
    return [
        ReportRun(run, run == state.baseline, plan_facts(run), measured.get(str(run.pk), {}))
        for run in ordered
    ]


def _candidate(state: ComparisonState, figures: FiguresState, run: EvalRun) -> ReportCandidate:
    metrics = metrics_shown(state, figures.figures, run)
    return ReportCandidate(
        run=run,
        verdict=verdict_on(state, figures.figures, run, metrics),
        cards=metric_cards(state, metrics),
        measures=[
            replace(card, metric=_UNTESTED | card.metric) for card in measure_cards(figures.figures, run)
        ],
    )


def _slices(state: ComparisonState, metrics: Sequence[Metric], parts: ReportParts) -> list[ReportSlices]:
    """By each column of the report: the primary metric, and any other that is clearly worse in some slice."""
    by_name = {(metric["name"], metric["source"]): metric for metric in metrics}
    found = []
    for column, part in parts.slices.items():
        if part.stale:  # of other scores than the metrics above
            continue
        for one in (entry_for(part.figures, state.candidate) or {"metrics": []})["metrics"]:
            metric = by_name.get((one["name"], one["source"]))
            if metric and (metric["primary"] or any(group.get("worse") for group in one["groups"])):
                found.append(ReportSlices(column_title(column), metric, _groups(metric, one["groups"])))
    return found


def _groups(metric: Metric, groups: Sequence[dict[str, Any]]) -> list[tuple[str, Card, bool]]:
    ends = [group[name] for group in groups for name in ("ci_low", "ci_high", "difference")]
    reach = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
    cards = [
        (_label(group["value"]), card_of({**metric, **group}, reach=reach), bool(group.get("worse")))
        for group in groups
    ]
    return sorted(cards, key=lambda group: not group[2])


def _label(value: Any) -> str:
    if value is None:
        return "All others"
    return str(value) or "(empty)"


def report_name(state: ComparisonState, moment: datetime) -> str:
    """The file's name: letters, digits and dashes."""
    return f"comparison-{state.comparison.number}-{moment:%Y-%m-%d}.html"
