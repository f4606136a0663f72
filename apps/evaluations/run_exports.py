"""A run's results as a file: CSV that no spreadsheet runs as formulas, or JSON lines. Streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from statistics import fmean
from typing import Any

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.spreadsheets import csv_lines
from apps.core.views import ProjectRequest, project_view
from apps.datasets.streaming import stream_response
from apps.evaluations.models import EvalItem, EvalRun, ItemScore
from apps.evaluations.presentation import readable
from apps.evaluations.rater_scores import HUMAN
from apps.evaluations.result_selectors import result_rows
from apps.evaluations.run_answers import plain
from apps.evaluations.run_forms import ResultFilterForm
from apps.evaluations.selectors import metric_names, metric_titles, run_get

_MEASURES = ("input_tokens", "output_tokens", "cost_usd", "latency_ms", "time_to_first_token_ms")
_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


@project_view(Role.VIEWER)
@require_safe
def run_export(request: ProjectRequest, number: int, format: str) -> HttpResponseBase:
    """The results that pass the filter of the address, in its order."""
    run = run_get(project=request.project, number=number)
    names = metric_names(run)
    chosen = ResultFilterForm(request.GET, metrics=[(name, name) for name in names]).chosen()
    items = result_rows(run, chosen)
    lines = _csv(run, names, items) if format == "csv" else _jsonl(items)
    return stream_response(request, lines, _CONTENT_TYPES[format], f"run-{run.number}.{format}")


def _csv(run: EvalRun, names: list[str], items: Iterator[EvalItem]) -> Iterator[str]:
    """People's scores stand in columns of their own, called "thumb (human)"."""
    tallied = list(run.tallies.order_by("metric").values_list("metric", "source"))
    measured = set(metric_titles(run)) | {name for name, source in tallied if source != HUMAN}
    metrics = [(name, False) for name in names if name in measured]
    metrics += [(name, True) for name, source in tallied if source == HUMAN]
    columns = run.dataset_version.columns.get("inputs", [])
    header = [
        "key",
        "repetition",
        *(f"input.{name}" for name in columns),
        "reference",
        "status",
        "output",
        "error",
    ]
    titles = [f"{name} ({HUMAN})" if of_people else name for name, of_people in metrics]
    rows = (_csv_row(item, columns, metrics) for item in items)
    return csv_lines(chain(header, titles, _MEASURES), rows)


def _csv_row(item: EvalItem, columns: list[str], metrics: list[tuple[str, bool]]) -> list[Any]:
    scores: dict[tuple[str, bool], list[ItemScore]] = {}
    for score in item.scores.all():
        scores.setdefault((score.metric, score.source == HUMAN), []).append(score)
    return [
        item.example_key,
        item.repetition,
        *(readable(item.example.inputs.get(name)) for name in columns),
        readable(item.example.reference),
        item.status,
        item.output,
        item.error,
        *(_score_cell(scores.get(metric, [])) for metric in metrics),
        *measure_cells(item, _MEASURES),
    ]


def _score_cell(scores: list[ItemScore]) -> Any:
    """The mean over raters; of categories, which there are."""
    values = [score.value for score in scores if score.value is not None]
    labels = dict.fromkeys(score.label for score in scores if score.label)
    return fmean(values) if values else ", ".join(labels) or None


def measure_cells(item: EvalItem, names: Sequence[str]) -> list[Any]:
    """The item's measures of these names; money as a plain decimal, which a spreadsheet reads as such."""
    cells = [getattr(item, name) for name in names]
    return [plain(cell) if isinstance(cell, Decimal) else cell for cell in cells]


def _jsonl(items: Iterator[EvalItem]) -> Iterator[str]:
    for item in items:
        row = {
            "key": item.example_key,
            "repetition": item.repetition,
            "inputs": item.example.inputs,
            "reference": item.example.reference,
            "metadata": item.example.metadata,
            "status": item.status,
            "output": item.output,
            "error": item.error or None,
            "scores": [
                {
                    "metric": score.metric,
                    "source": score.source,
                    "rater": score.rater,
                    "value": score.value,
                    "label": score.label,
                    "detail": score.detail,
                }
                for score in item.scores.all()
            ],
            **dict(zip(_MEASURES, measure_cells(item, _MEASURES), strict=True)),
        }
        yield json.dumps(row, ensure_ascii=False, default=str) + "\n"
