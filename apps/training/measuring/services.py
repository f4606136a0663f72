"""Starting a measurement: two runs with the same plan, and the comparison of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import Conflict, ProductError
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.models import EvalRun
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.training.measuring.base_runs import base_run_known
from apps.training.measuring.notifying import measurement_tell
from apps.training.measuring.plans import MeasurementPlan, base_of, check_held_out, read_plan, served_name
from apps.training.models import ModelMeasurement, ModelVersion

Status = ModelMeasurement.Status


def measurement_start(*, version: ModelVersion, plan: Mapping[str, Any], by: Actor) -> ModelMeasurement:
    """Measure what a job has just made, by the job's `evaluation`; safe to call again with the same plan.

    Nobody waits for an answer who could put a wrong plan right, so what stands in the way is written down as
    the measurement's failure, and nothing is raised. The runs are driven by their own workers.
    """
    with transaction.atomic():
        ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)  # one starter at a time
        known = version.measurements.filter(plan=_as_kept(version, plan)).order_by("-id").first()
        return known or _started(version, plan, by)


def _as_kept(version: ModelVersion, plan: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return read_plan(version.project, plan).kept()
    except ProductError:
        return dict(plan)


def _started(version: ModelVersion, plan: Mapping[str, Any], by: Actor) -> ModelMeasurement:
    try:
        return measurement_create(version=version, plan=plan, by=by)
    except ProductError as error:
        failed = version.measurements.create(
            plan=_as_kept(version, plan),
            status=Status.FAILED,
            status_reason=error.detail,
            finished_at=timezone.now(),
            **ModelMeasurement.author_fields(by),
        )
        measurement_tell(failed)
        return failed


def measurement_create(*, version: ModelVersion, plan: Mapping[str, Any], by: Actor) -> ModelMeasurement:
    """Measure a version against its base, or against the plan's `against`, on the same rows with the same
    prompt and evaluators.

    Raises InvalidInput at the plan's field that is wrong, Conflict while this very measurement is under way,
    and what `eval_run_create` raises.
    """
    read = read_plan(version.project, plan)
    check_held_out(version, read)
    base = base_of(version, read)
    with transaction.atomic():
        ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)  # one starter at a time
        _refuse_twice(version, read)
        base_run = base_run_known(base, read) or _run(base, read, by)
        run = _run(version, read, by)
        measurement = version.measurements.create(
            plan=read.kept(),
            status=Status.RUNNING,
            base_run=base_run,
            run=run,
            comparison=comparison_create(
                project=version.project,
                by=by,
                baseline=base_run,
                candidates=[run],
                primary_metric=read.primary_metric,
                name=f"{version.full_name} against {base.full_name}",
            ),
            **ModelMeasurement.author_fields(by),
        )
        audit(
            by, "model_measurement.create", measurement, project=version.project, after=_audited(measurement)
        )
    return measurement


def measurement_judge_again(*, measurement: ModelMeasurement, by: Actor) -> ModelMeasurement:
    """Hold the figures against today's policy; no model is asked again. Raises Conflict unless it has ended
    with figures, against the base.
    """
    if not measurement.of_base:
        raise Conflict("A policy asks how a version does against its base; this was against another.")
    with transaction.atomic():
        ended = ModelMeasurement.objects.filter(pk=measurement.pk, status=Status.COMPLETED)
        if not ended.update(status=Status.RUNNING):
            raise Conflict("Only a measurement that has ended with figures can be judged again.")
        project, before = measurement.version.project, {"verdict": measurement.verdict}
        audit(by, "model_measurement.judge_again", measurement, project=project, before=before)
    measurement.status = Status.RUNNING
    return measurement


def _refuse_twice(version: ModelVersion, plan: MeasurementPlan) -> None:
    waiting = version.measurements.filter(status__in=(Status.PENDING, Status.RUNNING), plan=plan.kept())
    if waiting.exists():
        raise Conflict(f"{version.full_name} is being measured so already. Wait for it, or cancel its runs.")


def _run(version: ModelVersion, plan: MeasurementPlan, by: Actor) -> EvalRun:
    request = RunRequest(
        name=version.full_name,
        dataset_version=plan.dataset_version,
        prompt_version=plan.prompt_version,
        evaluators=plan.evaluators,
        model=served_name(version),
        choice=plan.choice,
        primary_metric=plan.primary_metric,
    )
    return eval_run_create(project=version.project, by=by, request=request)


def _audited(measurement: ModelMeasurement) -> dict[str, Any]:
    comparison, run, base_run = measurement.comparison, measurement.run, measurement.base_run
    return {
        "version": measurement.version.full_name,
        "comparison": comparison.number if comparison else None,
        "run": run.number if run else None,
        "base_run": base_run.number if base_run else None,
    }
