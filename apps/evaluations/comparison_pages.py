"""A comparison made ready for its page: verdicts, figures to scale, rows with their differences marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparison_figures import entry_for, metrics_against
from apps.evaluations.comparison_rows import ComparedRow
from apps.evaluations.comparison_selectors import candidates_of
from apps.evaluations.models import Comparison, EvalItem, EvalRun
from apps.evaluations.presentation import Named, named, readable
from apps.evaluations.selectors import metric_titles
from apps.evaluations.verdict import Tone, Verdict, tone_of, verdict
from apps.prompts.diff import Part, diff_text

Figures = dict[str, Any] | None
"""Part "metrics" of a comparison's figures; None before they are made."""

#: Characters of an output that are compared word by word in the table; the drawer shows all of it.
TABLE_TEXT = 1_500

_TESTS = {
    "mcnemar_midp": "McNemar's test, mid-p",
    "mcnemar_exact": "McNemar's exact test",
    "clustered_t": "t-test with clustered errors",
    "paired_t": "Paired t-test",
    "t": "Paired t-test",
    "sign_exact": "Exact sign test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "wilcoxon_signed_rank": "Wilcoxon signed-rank test",
    "bootstrap_bca": "Paired bootstrap",
    "paired_bootstrap": "Paired bootstrap",
}
_INTERVALS = {
    "bonett_price": "Bonett–Price interval",
    "clustered_t": "clustered t interval",
    "bca": "bootstrap interval (BCa)",
    "t": "t interval",
    "constant": "",
}


@dataclass(frozen=True, slots=True)
class Forest:
    """A difference with its interval on a line of 100 units with zero in the middle, for an svg.

    `left` is where the mark of the difference itself begins, two units wide.
    """

    left: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric (or cost, or latency) of a candidate against the baseline. `metric` is the stored result."""

    metric: dict[str, Any]
    tone: Tone
    forest: Forest | None
    test: str
    wins_share: float
    ties_share: float

    losses_share: float

    @property
    def losses_from(self) -> float:
        return round(self.wins_share + self.ties_share, 2)


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A candidate with its verdict (None before the statistics are there)."""

    run: EvalRun
    verdict: Verdict | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class OutputSide:
    """One run's output of a row as parts, marked where they differ; without any where it has no output."""

    item: EvalItem | None
    parts: list[Part]
    cut: bool


@dataclass(frozen=True, slots=True)
class RowView:
    row: ComparedRow
    inputs: list[Named]
    reference: str
    baseline: OutputSide
    candidate: OutputSide


def candidate_views(comparison: Comparison, chosen: EvalRun, figures: Figures) -> list[CandidateView]:
    """Each candidate with a sentence on the primary metric."""
    return [
        CandidateView(run, _verdict_on(comparison, run, figures), chosen=run == chosen)
        for run in candidates_of(comparison)
    ]


def chosen_candidate(comparison: Comparison, number: str) -> EvalRun:
    """The candidate that the address names by its number, else the first."""
    candidates = candidates_of(comparison)
    return next((run for run in candidates if str(run.number) == number), candidates[0])


def primary_of(comparison: Comparison, candidate: EvalRun, figures: Figures) -> dict[str, Any] | None:
    """The stored result of the metric that decides; None before it is computed, or where none is shared."""
    return next((metric for metric in _metrics(comparison, candidate, figures) if metric["primary"]), None)


def metric_lines(comparison: Comparison, candidate: EvalRun, figures: Figures) -> list[MetricLine]:
    """One line a metric, the primary first."""
    metrics = _metrics(comparison, candidate, figures)
    return [_line(metric) for metric in sorted(metrics, key=lambda metric: not metric["primary"])]


def measured_lines(candidate: EvalRun, figures: Figures) -> list[MetricLine]:
    """Latency and cost of a call, where both runs know them."""
    entry = entry_for(figures, candidate) or {}
    titles = {"latency": "Latency of a call", "cost": "Cost of a call"}
    return [
        _line({**entry[name], "title": title, "name": name, "direction": "lower"})
        for name, title in titles.items()
        if entry.get(name) and entry[name].get("n")
    ]


def row_view(row: ComparedRow, columns: Sequence[str], *, limit: int | None = TABLE_TEXT) -> RowView:
    """A row with its inputs as text and the words that differ marked on both sides."""
    example = row.item.example
    baseline, candidate = _output(row.baseline), _output(row.candidate)
    parts = diff_text(baseline[:limit], candidate[:limit]) if baseline and candidate else None
    return RowView(
        row=row,
        inputs=named(example.inputs, columns),
        reference=readable(example.reference),
        baseline=_side(row.baseline, baseline, parts, "insert", limit),
        candidate=_side(row.candidate, candidate, parts, "delete", limit),
    )


def _metrics(comparison: Comparison, candidate: EvalRun, figures: Figures) -> list[dict[str, Any]]:
    """The stored metrics, called as on the page of the baseline's run."""
    titles = metric_titles(comparison.baseline)
    metrics = metrics_against(figures, candidate)
    return [metric | {"title": titles.get(metric["name"], metric["title"])} for metric in metrics]


def _output(item: EvalItem | None) -> str:
    return item.output if item is not None and item.status == "completed" else ""


def _side(
    item: EvalItem | None, text: str, parts: list[Part] | None, hidden: str, limit: int | None
) -> OutputSide:
    shown = (
        [Part("equal", text[:limit])] if parts is None else [part for part in parts if part.kind != hidden]
    )
    return OutputSide(item, shown if text else [], cut=limit is not None and len(text) > limit)


def _verdict_on(comparison: Comparison, candidate: EvalRun, figures: Figures) -> Verdict | None:
    if entry_for(figures, candidate) is None:
        return None
    metrics = _metrics(comparison, candidate, figures)
    return verdict(
        next((metric for metric in metrics if metric["primary"]), None),
        candidate=candidate.name,
        baseline=comparison.baseline.name,
        others=[metric for metric in metrics if not metric["primary"]],
    )


def _line(metric: dict[str, Any]) -> MetricLine:
    wins, ties, losses = (metric.get(name) or 0 for name in ("wins", "ties", "losses"))
    total = wins + ties + losses or 1
    return MetricLine(
        metric=metric,
        tone=tone_of(metric),
        forest=_forest(metric),
        test=_method(metric),
        wins_share=round(100 * wins / total, 2),
        ties_share=round(100 * ties / total, 2),
        losses_share=round(100 * losses / total, 2),
    )


def _forest(metric: dict[str, Any]) -> Forest | None:
    low, high, difference = metric["ci_low"], metric["ci_high"], metric["difference"]
    if low is None or high is None or difference is None:
        return None
    reach = max(abs(low), abs(high), abs(difference)) or 1.0
    left, right, middle = (round(50 + 46 * value / reach, 2) for value in (low, high, difference))
    return Forest(left=round(middle - 1, 2), low=left, high=max(right, round(left + 0.5, 2)))


def _method(metric: dict[str, Any]) -> str:
    test, interval = metric.get("test") or "", metric.get("interval") or ""
    parts = [_TESTS.get(test, test.replace("_", " ").capitalize()), _INTERVALS.get(interval, interval)]
    return "; ".join(part for part in parts if part)
