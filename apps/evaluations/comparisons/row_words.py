"""The rows of a comparison made ready for a page: scores side by side, texts with differences marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.figures import MISSING, score, signed
from apps.evaluations.comparisons.rows import ComparedRow, RowQuery
from apps.evaluations.models import EvalItem, ItemScore
from apps.evaluations.presentation import named, readable
from apps.evaluations.selectors import MetricSummary
from apps.prompts.diff import Part, diff_text

#: Of an output, a table shows this much from shortly before the first difference on.
EXCERPT = 420
BEFORE_DIFFERENCE = 48
#: How many of the other metrics have room in a row: those that changed most.
OTHERS = 2


@dataclass(frozen=True, slots=True)
class OutputSide:
    """One run's output of a row as parts, marked where they differ; without any where it has no output."""

    item: EvalItem | None
    parts: list[Part]
    cut_before: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One metric on both sides, a dash where there is none. `tone` is better, worse or "".

    `compared`: both sides have a value; `change` is "" where it is none.
    """

    title: str
    baseline: str
    candidate: str
    change: str
    tone: str
    compared: bool


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of the table."""

    row: ComparedRow
    inputs: str
    reference: str
    baseline: OutputSide
    candidate: OutputSide
    score: ScoreChange | None
    others: list[ScoreChange]
    comments: int = 0


@dataclass(frozen=True, slots=True)
class PairView:
    """One repetition of an example, whole."""

    row: ComparedRow
    baseline: OutputSide
    candidate: OutputSide
    scores: list[ScoreChange]
    reasons: list[Reason]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a score is what it is: a judge's words, or what an evaluator found."""

    side: str
    title: str
    rater: str
    value: str
    text: str


def row_view(
    row: ComparedRow, query: RowQuery, metrics: Sequence[MetricSummary], columns: Sequence[str], comments: int
) -> RowView:
    """A row with its inputs as text and the words that differ marked on both sides."""
    example = row.item.example
    baseline, candidate = excerpts(row)
    changes = score_changes(row, metrics)
    judging = (query.metric, query.source)
    others = sorted(
        (change for key, change in changes.items() if key != judging and change.change),
        key=lambda change: change.tone == "",
    )
    return RowView(
        row=row,
        inputs=inputs_line(example.inputs, columns),
        reference=readable(example.reference)[:EXCERPT],
        baseline=baseline,
        candidate=candidate,
        score=changes.get(judging),
        others=others[:OTHERS],
        comments=comments,
    )


def pair_view(row: ComparedRow, metrics: Sequence[MetricSummary], titles: Mapping[str, str]) -> PairView:
    """Both outputs whole, word by word, with every score and its reason."""
    old, new = _output(row.baseline), _output(row.candidate)
    parts = diff_text(old, new) if old and new else None
    return PairView(
        row=row,
        baseline=OutputSide(row.baseline, _parts(old, parts, "insert")),
        candidate=OutputSide(row.candidate, _parts(new, parts, "delete")),
        scores=list(score_changes(row, metrics).values()),
        reasons=[
            *_reasons("Baseline", row.baseline, titles),
            *_reasons("Candidate", row.candidate, titles),
        ],
    )


def inputs_line(inputs: Mapping[str, Any], columns: Sequence[str]) -> str:
    """The inputs as text for a cell of the table; a lone one needs no name."""
    values = named(inputs, columns)
    if len(values) == 1:
        return values[0].text[:EXCERPT]
    return "\n".join(f"{value.name}: {value.text[:EXCERPT]}" for value in values[:5])


def example_texts(row: ComparedRow, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs, reference and metadata whole, as text; of a changed example also as the candidate had it."""
    example = row.item.example
    texts: dict[str, Any] = {
        "inputs": named(example.inputs, columns.get("inputs", [])),
        "reference": readable(example.reference),
        "metadata": named(example.metadata, columns.get("metadata", [])),
    }
    if row.kind == "changed" and row.candidate is not None:
        changed = row.candidate.example
        texts["changed_inputs"] = named(changed.inputs, columns.get("inputs", []))
        texts["changed_reference"] = readable(changed.reference)
    return texts


def excerpts(row: ComparedRow) -> tuple[OutputSide, OutputSide]:
    """Both outputs from shortly before the first word that differs, so that a cell shows what changed."""
    old, new = _output(row.baseline), _output(row.candidate)
    if not (old and new):
        return (
            OutputSide(row.baseline, _parts(old[:EXCERPT], None, "insert"), cut=len(old) > EXCERPT),
            OutputSide(row.candidate, _parts(new[:EXCERPT], None, "delete"), cut=len(new) > EXCERPT),
        )
    start = _start(old, new)
    old_part, new_part = old[start : start + EXCERPT], new[start : start + EXCERPT]
    parts = diff_text(old_part, new_part)
    return (
        OutputSide(row.baseline, _parts(old_part, parts, "insert"), start > 0, len(old) > start + EXCERPT),
        OutputSide(row.candidate, _parts(new_part, parts, "delete"), start > 0, len(new) > start + EXCERPT),
    )


def score_changes(row: ComparedRow, metrics: Sequence[MetricSummary]) -> dict[tuple[str, str], ScoreChange]:
    """(metric, source) → the metric on both sides, for those that either side has a score of."""
    old, new = values_of(row.baseline), values_of(row.candidate)
    return {
        (metric.name, metric.source): _change(metric, old, new)
        for metric in metrics
        if (metric.name, metric.source) in old or (metric.name, metric.source) in new
    }


def values_of(item: EvalItem | None) -> dict[tuple[str, str], float | None]:
    """(metric, source) → the item's value, the mean over raters; None where it could not be scored."""
    if item is None:
        return {}
    found: dict[tuple[str, str], list[float]] = {}
    for one in item.scores.all():
        values = found.setdefault((one.metric, one.source), [])
        if one.value is not None:
            values.append(one.value)
    return {key: sum(values) / len(values) if values else None for key, values in found.items()}


def _change(
    metric: MetricSummary,
    old: Mapping[tuple[str, str], float | None],
    new: Mapping[tuple[str, str], float | None],
) -> ScoreChange:
    key = (metric.name, metric.source)
    before, after = old.get(key), new.get(key)
    change = None if before is None or after is None else after - before
    sign = {"higher": 1, "lower": -1}.get(metric.direction, 0)
    gain = (change or 0) * sign
    return ScoreChange(
        title=metric.title,
        baseline=_reads(metric, before),
        candidate=_reads(metric, after),
        change=_signed(metric, change) if change else "",
        tone="better" if gain > 0 else "worse" if gain < 0 else "",
        compared=change is not None,
    )


def _reads(metric: MetricSummary, value: float | None) -> str:
    """A score; a yes or no is 1 or 0."""
    if value is None:
        return MISSING
    return f"{value:.0f}" if _is_whole(metric, value) else score(value)


def _signed(metric: MetricSummary, change: float) -> str:
    return f"{change:+.0f}".replace("-", "\N{MINUS SIGN}") if _is_whole(metric, change) else signed(change)


def _is_whole(metric: MetricSummary, value: float) -> bool:
    return metric.scale in ("binary", "ordinal") and value == int(value)


def _reasons(side: str, item: EvalItem | None, titles: Mapping[str, str]) -> list[Reason]:
    scores: Sequence[ItemScore] = list(item.scores.all()) if item is not None else []
    return [
        Reason(
            side=side,
            title=titles.get(one.metric, one.metric),
            rater=one.rater,
            value=one.label or ("missing" if one.value is None else score(one.value)),
            text=one.detail,
        )
        for one in scores
        if one.detail
    ]


def _start(old: str, new: str) -> int:
    """Where the excerpts begin: at a word, shortly before the first difference that is far down."""
    if old == new:
        return 0
    same = _same_until(old, new)
    if same <= 2 * BEFORE_DIFFERENCE:
        return 0
    blank = old.find(" ", same - BEFORE_DIFFERENCE, same)
    return blank + 1 if blank >= 0 else same - BEFORE_DIFFERENCE


def _same_until(old: str, new: str) -> int:
    """How many characters both begin with, by halving: the texts may be long."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _output(item: EvalItem | None) -> str:
    return item.output if item is not None and item.status == EvalItem.Status.COMPLETED else ""


def _parts(text: str, parts: list[Part] | None, hidden: str) -> list[Part]:
    if parts is None:
        return [Part("equal", text)] if text else []
    return [part for part in parts if part.kind != hidden]
