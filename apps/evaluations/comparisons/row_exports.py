"""A comparison's rows as a file: CSV that no spreadsheet runs as formulas, or JSON lines. Streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.spreadsheets import csv_lines
from apps.core.views import ProjectRequest, project_view
from apps.datasets.streaming import stream_response
from apps.evaluations.comparisons.row_comments import comments_by_example
from apps.evaluations.comparisons.row_pages import chosen_metric, row_query, shared_metrics
from apps.evaluations.comparisons.row_views import state_of
from apps.evaluations.comparisons.row_words import values_of
from apps.evaluations.comparisons.rows import ComparedRow, every_row
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.models import EvalItem, EvalRun, ItemScore, RowComment, RunTally
from apps.evaluations.presentation import readable
from apps.evaluations.run_answers import iso_time
from apps.evaluations.run_exports import measure_cells

_AT_A_TIME = 500
_MEASURES = ("latency_ms", "cost_usd", "input_tokens", "output_tokens")
_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
Metrics = list[tuple[str, str]]
#: A row with the items of every run of the comparison in order, and the comments on its example.
Whole = tuple[ComparedRow, list[EvalItem | None], list[RowComment]]


@project_view(Role.VIEWER)
@require_safe
def comparison_export(request: ProjectRequest, number: int, format: str) -> HttpResponseBase:
    """The rows that pass the filter of the address, in its order, with every run of the comparison."""
    state = state_of(request, number)
    runs = [state.baseline, *state.candidates]
    lines = _csv(state, runs) if format == "csv" else _jsonl(state, runs)
    return stream_response(request, lines, _CONTENT_TYPES[format], f"comparison-{number}-rows.{format}")


def _csv(state: ComparisonState, runs: Sequence[EvalRun]) -> Iterator[str]:
    columns = state.baseline.dataset_version.columns.get("inputs", [])
    metrics = _metrics(runs)
    header = [
        *("key", "number", "repetition", "outcome", "unpaired"),
        *(f"input.{name}" for name in columns),
        *("reference", "split", "metadata"),
        *chain.from_iterable(_run_header(state, run, metrics) for run in runs),
        "comments",
    ]
    rows = (_csv_row(whole, columns, metrics) for whole in _whole_rows(state, runs))
    return csv_lines(header, rows)


def _run_header(state: ComparisonState, run: EvalRun, metrics: Metrics) -> list[str]:
    name = f"run {run.number}"
    names = ["status", "output", "error", *(_metric_name(metric) for metric in metrics), *_MEASURES]
    return [f"{name}: {part}" for part in names]


def _csv_row(whole: Whole, columns: Sequence[str], metrics: Metrics) -> list[Any]:
    row, items, comments = whole
    example = row.item.example
    return [
        *(example.key, row.item.position, row.repetition, row.outcome, row.kind),
        *(readable(example.inputs.get(name)) for name in columns),
        *(readable(example.reference), example.split, readable(example.metadata)),
        *chain.from_iterable(_run_cells(item, metrics) for item in items),
        "\n".join(f"{comment.author_label}: {comment.text}" for comment in comments),
    ]


def _run_cells(item: EvalItem | None, metrics: Metrics) -> list[Any]:
    if item is None:
        return [None] * (3 + len(metrics) + len(_MEASURES))
    values = values_of(item)
    return [
        *(item.status, item.output, item.error),
        *(values.get(metric) for metric in metrics),
        *measure_cells(item, _MEASURES),
    ]


def _jsonl(state: ComparisonState, runs: Sequence[EvalRun]) -> Iterator[str]:
    for whole in _whole_rows(state, runs):
        yield json.dumps(whole_json(whole, runs), ensure_ascii=False, default=str) + "\n"


def whole_json(whole: Whole, runs: Sequence[EvalRun]) -> dict[str, Any]:
    """A row as REST and the export have it: the example, each run's result (null: it has none), comments."""
    row, items, comments = whole
    example = row.item.example
    return {
        "example": str(example.pk),
        "key": example.key,
        "number": row.item.position,
        "repetition": row.repetition,
        "outcome": row.outcome or None,
        "unpaired": row.kind or None,
        "baseline_value": row.baseline_value,
        "candidate_value": row.candidate_value,
        "change": row.change,
        "inputs": example.inputs,
        "reference": example.reference,
        "metadata": example.metadata,
        "split": example.split,
        "results": [_result_json(run, item) for run, item in zip(runs, items, strict=True)],
        "comments": [
            {"author": comment.author_label, "created_at": iso_time(comment.created_at), "text": comment.text}
            for comment in comments
        ],
    }


def _result_json(run: EvalRun, item: EvalItem | None) -> dict[str, Any]:
    if item is None:
        empty = dict.fromkeys(("item", "status", "output", "error", *_MEASURES))
        return {**empty, "run": str(run.pk), "scores": []}
    return {
        "run": str(run.pk),
        "item": str(item.pk),
        "status": item.status,
        "output": item.output,
        "error": item.error or None,
        "scores": [
            {
                "metric": one.metric,
                "source": one.source,
                "rater": one.rater,
                "value": one.value,
                "label": one.label,
                "detail": one.detail,
            }
            for one in item.scores.all()
        ],
        "latency_ms": item.latency_ms,
        "cost_usd": None if item.cost_usd is None else float(item.cost_usd),
        "input_tokens": item.input_tokens,
        "output_tokens": item.output_tokens,
    }


def _whole_rows(state: ComparisonState, runs: Sequence[EvalRun]) -> Iterator[Whole]:
    rows = every_row(row_query(state, chosen_metric(state, shared_metrics(state))))
    while batch := list(islice(rows, _AT_A_TIME)):
        yield from whole_rows(state, runs, batch)


def whole_rows(state: ComparisonState, runs: Sequence[EvalRun], rows: Sequence[ComparedRow]) -> list[Whole]:
    """The rows with what the comparison's other runs made of their examples. Three queries at most."""
    others = [run.pk for run in runs if run.pk not in (state.baseline.pk, state.candidate.pk)]
    examples = {row.item.example_id for row in rows}
    found: dict[tuple[UUID, UUID, int], EvalItem] = {}
    if others:
        items = EvalItem.objects.filter(run__in=others, example__in=examples).defer("rendered", "tool_calls")
        for item in items.prefetch_related(Prefetch("scores", ItemScore.objects.order_by("id"))):
            found[item.run_id, item.example_id, item.repetition] = item
    comments = comments_by_example(state.comparison, examples)
    return [
        (row, [_item(state, run, row, found) for run in runs], comments.get(row.item.example_id, []))
        for row in rows
    ]


def _item(
    state: ComparisonState, run: EvalRun, row: ComparedRow, found: dict[tuple[UUID, UUID, int], EvalItem]
) -> EvalItem | None:
    if run.pk == state.baseline.pk:
        return row.baseline
    if run.pk == state.candidate.pk:
        return row.candidate
    return found.get((run.pk, row.item.example_id, row.repetition))


def _metrics(runs: Sequence[EvalRun]) -> Metrics:
    """Every metric of items that any of the runs has, the planned first. One query."""
    specs = [spec for run in runs for spec in run.plan.get("metrics", [])]
    planned = [(spec["name"], "evaluator") for spec in specs if spec.get("level", "item") == "item"]
    tallies = RunTally.objects.filter(run__in=[run.pk for run in runs]).order_by("metric", "source")
    return list(dict.fromkeys([*planned, *tallies.values_list("metric", "source")]))


def _metric_name(metric: tuple[str, str]) -> str:
    name, source = metric
    return name if source == "evaluator" else f"{name} ({source})"
