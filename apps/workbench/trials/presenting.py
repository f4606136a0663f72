"""A trial as JSON for its page: rows × columns, and what each column came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from apps.evaluations.evaluators import kind
from apps.evaluations.models import EvaluatorVersion
from apps.workbench.models import Call, Trial, TrialCell
from apps.workbench.trials.figures import column_figures
from apps.workbench.trials.selectors import EXCERPT, cells_of
from apps.workbench.values import excerpt, value_text

_UNDER_WAY = (Call.Status.PENDING, Call.Status.RUNNING)


def trial_as_json(trial: Trial) -> dict[str, Any]:
    """`done`: nothing more will come. A cell's `status` is its call's, or "unfit" where there is none."""
    cells = cells_of(trial)
    metrics = metrics_of(
        list(trial.evaluator_versions.select_related("evaluator").order_by("evaluator__slug"))
    )
    dataset = trial.dataset_version.dataset
    names = [metric["name"] for metric in metrics]
    return {
        "id": str(trial.pk),
        "dataset": {"slug": dataset.slug, "name": dataset.name, "version": trial.dataset_version.number},
        "choice": trial.choice,
        "evaluators": sorted({metric["slug"] for metric in metrics}),
        "columns": [
            {name: column.get(name) for name in ("id", "base", "model", "version")}
            for column in trial.columns
        ],
        "metrics": metrics,
        "rows": _rows(cells),
        "figures": {
            column["id"]: column_figures([_figure_input(c) for c in cells if c.column == column["id"]], names)
            for column in trial.columns
        },
        "stopped": trial.stopped_at is not None,
        "done": all(_is_done(cell) for cell in cells),
        "by": trial.author_label,
        "created_at": trial.created_at.isoformat(),
    }


def metrics_of(versions: Sequence[EvaluatorVersion]) -> list[dict[str, Any]]:
    """What the evaluators measure of one row, in their order."""
    return [
        {**asdict(metric), "evaluator": version.evaluator.name, "slug": version.evaluator.slug}
        for version in versions
        for metric in kind(version.evaluator.kind).metrics_of(version.evaluator.slug)
        if metric.level == "item"
    ]


def _rows(cells: Sequence[TrialCell]) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for cell in cells:
        example = cell.example
        row = rows.setdefault(
            cell.position,
            {
                "position": cell.position,
                "key": example.key,
                "label": excerpt(example.inputs),
                "inputs": {name: value_text(value) for name, value in example.inputs.items()},
                "reference": None if example.reference is None else value_text(example.reference)[:EXCERPT],
                "cells": {},
            },
        )
        row["cells"][cell.column] = _cell(cell)
    return list(rows.values())


def _cell(cell: Any) -> dict[str, Any]:
    call = cell.call
    if call is None:
        return {"status": "unfit", "error": cell.error or "The call is gone.", "scores": {}, "scored": True}
    return {
        "call": str(call.pk),
        "status": call.status,
        "output": cell.beginning[:EXCERPT],
        "more": len(cell.beginning) > EXCERPT,
        "tool_calls": call.tool_calls,
        "error": call.error,
        "duration_ms": call.duration_ms,
        "cost_usd": None if call.cost_usd is None else f"{call.cost_usd:f}",
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "judge_cost_usd": f"{cell.judge_cost_usd:f}",
        "scored": cell.scored_at is not None,
        "scores": {
            score.metric: {"value": score.value, "label": score.label, "detail": score.detail}
            for score in call.trial_scores.all()
        },
    }


def _is_done(cell: TrialCell) -> bool:
    call = cell.call
    if call is None or call.status in (Call.Status.FAILED, Call.Status.CANCELLED):
        return True
    return call.status not in _UNDER_WAY and cell.scored_at is not None


def _figure_input(cell: TrialCell) -> dict[str, Any]:
    call = cell.call
    return {
        "status": call.status if call else "unfit",
        "duration_ms": call.duration_ms if call else None,
        "cost_usd": call.cost_usd if call else Decimal(0),
        "judge_cost_usd": None if cell.judge_unknown else cell.judge_cost_usd,
        "scores": {s.metric: s.value for s in call.trial_scores.all()} if call else {},
    }
