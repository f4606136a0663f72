"""Everything that the page of a job shows, as it is now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max
from django.utils import timezone

from apps.training.measuring.selectors import Measured
from apps.training.models import (
    Checkpoint,
    FineTuningJob,
    LogLine,
    ModelMeasurement,
    ModelState,
    ModelVersion,
    SampleOutput,
    Trial,
)
from apps.training.watching.charts import Chart, charts_of
from apps.training.watching.curves import curves_of
from apps.training.watching.explaining import Told, explain
from apps.training.watching.facts import FactGroup, facts_of
from apps.training.watching.samples import ShownSamples, shown_samples
from apps.training.watching.selectors import checkpoints_of, log_of, log_tail, points_of, trials_of
from apps.training.watching.standing import Standing, standing_of
from apps.training.watching.tries import ShownTrial, best_trial, objective_words, shown_trials, trials_chart

Status = FineTuningJob.Status
#: Of a longer training only so many points are read for the page, evenly spread; REST has them all.
MOST_READ = 5_000
#: On the page: those whose files are there before those that were removed; REST has all.
MOST_CHECKPOINTS = 100


@dataclass(frozen=True, slots=True)
class ShownCheckpoint:
    checkpoint: Checkpoint
    #: What was registered of it.
    version: ModelVersion | None
    may_register: bool


@dataclass(frozen=True, slots=True)
class LiveJob:
    job: FineTuningJob
    standing: Standing
    #: Whether the page asks again by itself.
    waiting: bool
    #: Differs when anything that is shown does.
    seen: str
    charts: list[Chart]
    samples: ShownSamples
    checkpoints: list[ShownCheckpoint]
    trials: list[ShownTrial]
    trials_chart: dict[str, Any] | None
    best_trial: int | None
    objective: str
    log: list[LogLine]
    facts: list[FactGroup]
    measurement: ModelMeasurement | None
    #: The same for the badge.
    measured: Measured | None


def measurement_of(job: FineTuningJob) -> ModelMeasurement | None:
    """The first measurement of what the job has made: the one that its end asked for."""
    if job.version_id is None:
        return None
    found = ModelMeasurement.objects.filter(version=job.version_id).select_related(
        "comparison", "run", "base_run"
    )
    return found.order_by("id").first()


def is_waiting(job: FineTuningJob, measurement: ModelMeasurement | None) -> bool:
    """Whether something may still happen by itself."""
    if job.status == Status.DRAFT:
        return False
    if not job.is_over:
        return True
    under_way = (ModelMeasurement.Status.PENDING, ModelMeasurement.Status.RUNNING)
    return measurement is not None and measurement.status in under_way


def seen_of(job: FineTuningJob, measurement: ModelMeasurement | None, asked: str = "") -> str:
    """A short mark of the state that the page shows; `asked`: what somebody chose on it. Four queries."""
    late = job.lease_until is not None and job.lease_until < timezone.now()
    state = [
        *(job.status, job.status_reason, job.stop_requested, job.attempt, job.progress, job.version_id, late),
        log_of(job).aggregate(last=Max("id"))["last"],
        SampleOutput.objects.filter(job=job).aggregate(last=Max("id"))["last"],
        list(
            checkpoints_of(job)
            .aggregate(n=Count("id"), pruned=Count("pruned_at"), last=Max("created_at"))
            .values()
        ),
        list(trials_of(job).values_list("state", "value")),
        _state_of(measurement),
        asked,
        is_waiting(job, measurement),
    ]
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]


def _state_of(measurement: ModelMeasurement | None) -> list[Any]:
    if measurement is None:
        return []
    runs = [run.pk for run in (measurement.base_run, measurement.run) if run]
    return [measurement.status, measurement.verdict, measurement.status_reason, len(runs)]


def live_job(job: FineTuningJob, *, samples_at: str = "") -> LiveJob:
    measurement = measurement_of(job)
    trials = list(trials_of(job))
    return LiveJob(
        job=job,
        standing=standing_of(job),
        waiting=is_waiting(job, measurement),
        seen=seen_of(job, measurement, samples_at),
        charts=_charts(job),
        samples=shown_samples(job, samples_at),
        checkpoints=shown_checkpoints(job),
        trials=shown_trials(trials),
        trials_chart=trials_chart(trials, job.sweep, revision=str(job.pk)) if trials else None,
        best_trial=best_trial(trials, job.sweep),
        objective=objective_words(job.sweep),
        log=log_tail(job),
        facts=facts_of(job, _chosen(job)),
        measurement=measurement,
        measured=Measured(job.version, [measurement] if measurement else []) if job.version else None,
    )


def _charts(job: FineTuningJob) -> list[Chart]:
    if job.status == Status.PENDING and not job.attempt:
        return []
    trial = _shown_trial(job)
    rows = _points(job, trial)
    curves = curves_of((step, values) for step, values, _ in rows)
    memory = (job.environment.get("device_facts") or {}).get("memory_bytes") or 0
    told = Told(method=job.method, settings=job.settings, over=job.is_over, memory_bytes=int(memory))
    last = rows[-1][0] if rows else 0
    return charts_of(
        curves,
        explain(curves, told),
        method=job.method,
        steps=max(int(job.progress.get("steps") or 0), last),
        revision=f"{job.pk}-{trial}",
        resumed=_resumed([(step, attempt) for step, _, attempt in rows]),
        only_known=job.is_over or job.technique == FineTuningJob.Technique.HOSTED,
    )


def _shown_trial(job: FineTuningJob) -> int:
    """The try that a sweep is at, until the training itself begins."""
    trial = job.progress.get("trial")
    return trial if job.sweep and isinstance(trial, int) and trial > 0 else 0


def _points(job: FineTuningJob, trial: int) -> list[tuple[int, dict[str, Any], int]]:
    points = points_of(job, trial=trial)
    step_apart = points.count() // MOST_READ + 1
    if step_apart > 1:
        rest = F("step") % step_apart
        points = points.annotate(rest=rest).filter(rest=0) | points.annotate(rest=rest).filter(
            values__has_key="eval_loss"
        )
    return list(points.values_list("step", "values", "attempt"))


def _resumed(rows: Sequence[tuple[int, int]]) -> list[int]:
    """The steps at which a later attempt goes on."""
    return [step for (step, attempt), (_, before) in zip(rows[1:], rows, strict=False) if attempt != before]


def shown_checkpoints(job: FineTuningJob) -> list[ShownCheckpoint]:
    """Those of the training itself, newest first, with what was registered of them. Two queries."""
    found = list(
        checkpoints_of(job)
        .filter(trial=0)
        .order_by(F("pruned_at").desc(nulls_first=True), "-step")[:MOST_CHECKPOINTS]
    )
    found.sort(key=lambda checkpoint: -checkpoint.step)
    made = ModelVersion.objects.filter(
        project=job.project_id, source=ModelVersion.Source.JOB, recipe__job=job.number
    ).exclude(state__state=ModelState.State.DELETED)
    # The version of a job's end names its step among its last figures.
    by_step = {version.recipe.get("step", version.training_metrics.get("steps")): version for version in made}
    return [
        ShownCheckpoint(
            checkpoint=checkpoint,
            version=by_step.get(checkpoint.step),
            may_register=job.is_over and checkpoint.pruned_at is None and checkpoint.step not in by_step,
        )
        for checkpoint in found
    ]


def _chosen(job: FineTuningJob) -> dict[str, Any]:
    """What the sweep settled on, once the training itself goes on with it."""
    own = Trial.objects.filter(job=job, number=0).first() if job.sweep else None
    if own is not None and own.chosen:
        return dict(own.chosen)
    return {}
