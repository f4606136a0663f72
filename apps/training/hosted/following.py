"""What a provider tells of a job on its way, as the rows that the job's page reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypeIs

from apps.training.models import FineTuningJob, LogLine, MetricPoint

#: The provider's names of figures → TRL's, which the charts know. Others keep their own.
_NAMES = {
    "train_loss": "loss",
    "valid_loss": "valid_loss",
    "full_valid_loss": "eval_loss",
    "train_mean_token_accuracy": "mean_token_accuracy",
    "full_valid_mean_token_accuracy": "eval_mean_token_accuracy",
}
_NOT_FIGURES = frozenset({"step", "total_steps", "epoch"})
_LEVELS = {"warn": "warning", "error": "error"}
_LONGEST_LINE = 2_000


def events_record(job: FineTuningJob, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Write figures and log lines of new events, oldest first; what they say of the progress.

    Called inside a transaction that holds the job's lease.
    """
    points: dict[int, MetricPoint] = {}
    lines: list[LogLine] = []
    progress: dict[str, Any] = {}
    for event in events:
        told = event.get("data")
        step = told.get("step") if isinstance(told, Mapping) else None
        if event.get("type") == "metrics" and isinstance(told, Mapping) and _is_step(step):
            points[step] = _point(job, told, event)
            progress |= _progress(told)
        else:
            lines.append(_line(job, event))
    MetricPoint.objects.bulk_create(
        points.values(),
        update_conflicts=True,
        unique_fields=["job", "trial", "step"],
        update_fields=["values", "attempt", "at"],
    )
    LogLine.objects.bulk_create(lines)
    return progress


def _is_step(step: Any) -> TypeIs[int]:
    return isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 2**31


def _point(job: FineTuningJob, told: Mapping[str, Any], event: Mapping[str, Any]) -> MetricPoint:
    values = {
        _NAMES.get(name, name): value
        for name, value in told.items()
        if name not in _NOT_FIGURES and isinstance(value, int | float) and _is_finite(value)
    }
    return MetricPoint(job=job, step=told["step"], attempt=job.attempt, values=values, at=_when(event))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all measure
        return False


def _progress(told: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"stage": "training", "step": told["step"]}
    if _is_step(told.get("total_steps")):
        found["steps"] = told["total_steps"]
    return found


def _line(job: FineTuningJob, event: Mapping[str, Any]) -> LogLine:
    level = _LEVELS.get(str(event.get("level")), "info")
    return LogLine(job=job, level=level, text=str(event.get("message", ""))[:_LONGEST_LINE], at=_when(event))


def _when(event: Mapping[str, Any]) -> datetime:
    created = event.get("created_at")
    usable = isinstance(created, int) and 0 < created < 2**33
    return datetime.fromtimestamp(created, UTC) if usable else datetime.now(UTC)  # type: ignore[arg-type]


def last_figures(job: FineTuningJob) -> dict[str, Any]:
    """The newest value of each figure."""
    found: dict[str, Any] = {}
    newest = MetricPoint.objects.filter(job=job, trial=0).order_by("-step").values_list("values", flat=True)
    for values in newest[:100]:
        found = {**values, **found}
    return found
