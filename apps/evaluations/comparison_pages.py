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
from apps.evaluations.verdict import Verdict, verdict
from apps.prompts.diff import Part, diff_text

Figures = dict[str, Any] | None
"""Part "metrics" of a comparison's figures; None before they are made."""

#: Characters of an output that are compared word by word in the table; the drawer shows all of it.
TABLE_TEXT = 1_500


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
