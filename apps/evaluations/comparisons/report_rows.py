"""The examples of a report: regressions first, as many as a file can bear, with the words that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.cards import Metric
from apps.evaluations.comparisons.row_comments import comments_by_example
from apps.evaluations.comparisons.rows import ComparedRow, RowQuery, compared_rows
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.models import EvalItem, RowComment
from apps.evaluations.presentation import Named, named, readable
from apps.prompts.alignment import Allowance
from apps.prompts.diff import Part, diff_text

MOST_ROWS = 200
#: Characters of one output, and of inputs and references, that a report holds.
MOST_OUTPUT, MOST_TEXT = 4_000, 2_000
MOST_COMMENTS = 200


@dataclass(frozen=True, slots=True)
class ReportSide:
    """One output: its stretches, or the `note` that stands in its place."""

    parts: list[Part]
    cut: bool
    note: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    row: ComparedRow
    inputs: list[Named]
    reference: str
    baseline: ReportSide
    candidate: ReportSide
    comments: list[RowComment]


def report_rows(state: ComparisonState, metric: Metric | None) -> dict[str, Any]:
    """The rows of the slice that the address names, at most MOST_ROWS, and the comments on others."""
    query = RowQuery(
        baseline=state.baseline.pk,
        candidate=state.candidate.pk,
        metric=metric["name"] if metric else "",
        source=metric["source"] if metric else "evaluator",
        direction=metric["direction"] if metric else "",
        slice=state["slice"],
        value=state["value"],
        across=state.baseline.dataset_version_id != state.candidate.dataset_version_id,
    )
    page = compared_rows(query, size=MOST_ROWS)
    comments = comments_by_example(state.comparison, [row.example_id for row in page.rows])
    columns = state.baseline.dataset_version.columns.get("inputs", [])
    total = page.counts.total + page.counts.unpaired
    return {
        "rows": [_row(row, columns, comments.get(row.example_id, [])) for row in page.rows],
        "row_counts": page.counts,
        "rows_total": total,
        "rows_left_out": max(0, total - len(page.rows)),
        "rows_metric": metric,
        "rows_binary": metric is not None and metric["scale"] == "binary",
        "rows_slice": (state["slice"], state["value"]) if state["slice"] and state["value"] else None,
        "other_comments": _other_comments(state, page.rows),
    }


def _row(row: ComparedRow, columns: Sequence[str], comments: list[RowComment]) -> ReportRow:
    example = row.item.example
    old, new = _output(row.baseline), _output(row.candidate)
    parts = diff_text(old[:MOST_OUTPUT], new[:MOST_OUTPUT], Allowance()) if old and new else None
    return ReportRow(
        row=row,
        inputs=[Named(one.name, one.text[:MOST_TEXT]) for one in named(example.inputs, columns)],
        reference=readable(example.reference)[:MOST_TEXT],
        baseline=_side(row.baseline, old, parts, "insert"),
        candidate=_side(row.candidate, new, parts, "delete"),
        comments=comments,
    )


def _output(item: EvalItem | None) -> str:
    if item is None or item.status != EvalItem.Status.COMPLETED:
        return ""
    calls = f"\n\n{readable(item.tool_calls)}" if item.tool_calls else ""
    return f"{item.output}{calls}".strip()


def _side(item: EvalItem | None, text: str, parts: list[Part] | None, hidden: str) -> ReportSide:
    if text:
        whole = [Part("equal", text[:MOST_OUTPUT])]
        shown = whole if parts is None else [part for part in parts if part.kind != hidden]
        return ReportSide(shown, cut=len(text) > MOST_OUTPUT, note="")
    if item is None:
        return ReportSide([], cut=False, note="Not in this run")
    note = item.error[:MOST_TEXT] if item.status == EvalItem.Status.FAILED else ""
    return ReportSide([], cut=False, note=note or ("(empty)" if item.output == "" else "No answer"))


def _other_comments(state: ComparisonState, rows: Sequence[ComparedRow]) -> list[RowComment]:
    """Comments on examples that are not among the rows, oldest first."""
    shown = {row.example_id for row in rows}
    comments = state.comparison.comments.exclude(example__in=shown).select_related("example")
    return list(comments.defer("example__search").order_by("id")[:MOST_COMMENTS])
