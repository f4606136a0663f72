"""Taking a measurement to its end: its runs, then the comparison's figures, then the verdict."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.evaluations.comparing.columns import telling_columns
from apps.evaluations.comparisons.cards import metrics_shown, primary_metric, verdict_on
from apps.evaluations.comparisons.figures import (
    FiguresState,
    entry_for,
    figures_state,
)
from apps.evaluations.comparisons.state import ComparisonState, comparison_state
from apps.evaluations.models import Comparison, ComparisonFigures, EvalRun
from apps.training.measuring.findings import Policy, Stored
from apps.training.measuring.notifying import measurement_tell
from apps.training.measuring.on_slices import SliceColumn
from apps.training.measuring.policy import judge
from apps.training.measuring.policy_services import policy_of
from apps.training.models import ModelMeasurement

log = logging.getLogger(__name__)

Status = ModelMeasurement.Status
Part = ComparisonFigures.Part
MOST_AT_ONCE = 200
#: Columns that a policy looks at where the plan names none.
MOST_COLUMNS = 8
#: What is kept of the primary metric, beside what the comparison says of it.
_KEPT = (
    "name",
    "title",
    "source",
    "level",
    "direction",
    "scale",
    "unit",
    "n",
    "missing",
    "baseline_mean",
    "candidate_mean",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "wins",
    "ties",
    "losses",
)


def measurements_sweep() -> None:
    """Go on with every measurement that is under way."""
    under_way = ModelMeasurement.objects.filter(status=Status.RUNNING).order_by("id")
    for measurement in _with_all(under_way)[:MOST_AT_ONCE]:
        try:
            measurement_settle(measurement)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one that cannot be settled does not hold up the others
            log.exception("The measurement %s could not be gone on with", measurement.pk)


def measurement_settle(measurement: ModelMeasurement) -> None:
    """End it if its runs and its comparison's figures allow; safe to do twice, and by two at a time.

    Figures that are not there are asked for, so a later call finds them.
    """
    base_run, run, comparison = measurement.base_run, measurement.run, measurement.comparison
    if base_run is None or run is None or comparison is None:
        return
    over = next((one for one in (base_run, run) if one.status in ("failed", "cancelled")), None)
    if over is not None:
        _fail(measurement, _why_over(over))
        return
    halted = next((one for one in (base_run, run) if one.status == "paused"), None)
    _say(measurement, f"The run {_named(halted)} is paused. Go on with it, or cancel it." if halted else "")
    if base_run.finalized_at is None or run.finalized_at is None:
        return
    metrics = figures_state(comparison, base_run, Part.METRICS)
    policy = policy_of(comparison.project) if measurement.of_base else None
    slices = _slices(measurement, comparison, base_run, policy)
    if all(state.settled for state in (metrics, *slices.values())):
        _end(measurement, metrics, slices, policy)


def _slices(
    measurement: ModelMeasurement, comparison: Comparison, base_run: EvalRun, policy: Policy | None
) -> dict[str, FiguresState]:
    """Part "slices" of each column that the policy looks at; {} where it looks at none."""
    if policy is None or policy.most_lost_on_slice is None:
        return {}
    chosen = measurement.plan.get("slice")
    columns = [chosen] if chosen else telling_columns(base_run)[:MOST_COLUMNS]
    return {column: figures_state(comparison, base_run, Part.SLICES, column) for column in columns}


def _end(
    measurement: ModelMeasurement,
    metrics: FiguresState,
    slices: dict[str, FiguresState],
    policy: Policy | None,
) -> None:
    broken = next((state for state in (metrics, *slices.values()) if state.figures is None), None)
    if broken is not None:
        _fail(measurement, broken.error)
        return
    assert measurement.comparison is not None
    assert measurement.run is not None
    state = comparison_state(measurement.comparison, {})
    shown = metrics_shown(state, metrics.figures)
    metric = primary_metric(shown)
    columns = [SliceColumn(column, _groups(part, measurement.run, metric)) for column, part in slices.items()]
    judged = judge(policy, metric, columns, span=_span(measurement.run, metric))
    _write(
        measurement,
        status=Status.COMPLETED,
        figures=_kept(state, metrics, metric, shown),
        verdict=judged.verdict,
        judged=judged.kept(policy),
    )


def _groups(part: FiguresState, run: EvalRun, metric: Stored | None) -> Sequence[Stored]:
    entry = entry_for(part.figures, run)
    if metric is None or entry is None:
        return []
    key = metric["name"], metric["source"]
    found = (one["groups"] for one in entry["metrics"] if (one["name"], one["source"]) == key)
    groups: Sequence[Stored] = next(found, [])
    return groups


def _span(run: EvalRun, metric: Stored | None) -> float | None:
    """The length of the metric's scale, as its evaluator says; a share goes from 0 to 1."""
    if metric is None or metric["scale"] == "binary":
        return 1.0
    specs = (spec for spec in run.plan.get("metrics", []) if spec["name"] == metric["name"])
    spec: dict[str, Any] = next(specs, {})
    low, high = spec.get("low"), spec.get("high")
    return None if low is None or high is None else float(high - low)


def _kept(
    state: ComparisonState, metrics: FiguresState, metric: Stored | None, shown: list[dict[str, Any]]
) -> dict[str, Any]:
    verdict = verdict_on(state, metrics.figures, state.candidate, shown)
    said = {"tone": verdict.tone, "headline": verdict.headline, "detail": verdict.detail} if verdict else {}
    return {**said, "metric": {name: metric.get(name) for name in _KEPT} if metric else None}


def _why_over(run: EvalRun) -> str:
    ended = "was cancelled" if run.status == "cancelled" else "failed"
    return f"The run {_named(run)} {ended}{f': {run.status_reason}' if run.status_reason else '.'}"


def _named(run: EvalRun | None) -> str:
    return f"“{run.name}” (#{run.number})" if run else ""


def _fail(measurement: ModelMeasurement, reason: str) -> None:
    _write(measurement, status=Status.FAILED, status_reason=reason)


def _say(measurement: ModelMeasurement, reason: str) -> None:
    if measurement.status_reason != reason:
        measurement.status_reason = reason
        measurement.save(update_fields=["status_reason"])


def _write(measurement: ModelMeasurement, **fields: Any) -> None:
    """The end, by whoever comes first, told in the same transaction."""
    with transaction.atomic():
        running = ModelMeasurement.objects.filter(pk=measurement.pk, status=Status.RUNNING)
        fields = {"status_reason": "", **fields, "finished_at": timezone.now()}
        if not running.update(**fields):
            return
        for name, value in fields.items():
            setattr(measurement, name, value)
        measurement_tell(measurement)


def _with_all(measurements: QuerySet[ModelMeasurement]) -> QuerySet[ModelMeasurement]:
    """With all that settling reads of each."""
    return measurements.select_related(
        "version__project",
        "base_run__dataset_version",
        "run__dataset_version",
        "comparison__project",
        "comparison__baseline__dataset_version",
    ).prefetch_related("comparison__candidates__dataset_version")
