"""The demo's chapter of fine-tuning: trains the embedded model on the corrections, and shows how it did.

Everything goes through the services that a person's clicks go through, and the workers do the work. A second
time finds what is there and trains nothing twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from apps.core.models import Project
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.services.datasets import dataset_create
from apps.evaluations.models import EvalRun
from apps.prompts.models import PromptVersion
from apps.training.models import FineTuningJob, MetricPoint, ModelMeasurement
from apps.training.planning.services import job_ask_start, job_create
from llmops_web.demo import content
from llmops_web.demo.report import comparison_lines
from llmops_web.demo.running import (
    BY,
    POLL_S,
    DemoFailed,
    Say,
    computed,
    demo_project,
    evaluators,
    first_version,
    follow,
    prompt_versions,
    sentences,
)

Status = FineTuningJob.Status
#: A line about the training so often.
_TELL_EVERY_S = 10.0


@dataclass(frozen=True)
class FineTuned:
    """What the chapter consists of, once all of it is there."""

    project: Project
    job: FineTuningJob
    measurement: ModelMeasurement


def run_fine_tuning(say: Say) -> FineTuned:
    """Train, measure against the base, and tell; returns when the comparison is there. Raises DemoFailed."""
    project = demo_project()
    zero_shot = prompt_versions(project)[0]
    job = _job(project, zero_shot, corrections(project), sentences(project))
    _follow_training(job, say)
    measurement = _measured(job, say)
    comparison = measurement.comparison
    assert measurement.base_run is not None  # a measurement that ran has all three
    assert measurement.run is not None
    assert comparison is not None
    runs: tuple[EvalRun, ...] = (measurement.base_run, measurement.run)
    for line in comparison_lines(computed(comparison), runs):
        say(line)
    say(f"Trained in {job.trained_s / 60:.1f} minutes: {job.version}. {_verdict(measurement)}")
    return FineTuned(project, job, measurement)


def corrections(project: Project) -> DatasetVersion:
    """The pairs that are trained on: other sentences than those that are compared on."""
    slug, name = content.CORRECTIONS_SLUG, content.CORRECTIONS_NAME
    dataset = Dataset.objects.filter(project=project, slug=slug).first() or dataset_create(
        project=project, by=BY, name=name, slug=slug
    )
    note = "Pairs written for the demo"
    return first_version(dataset, content.CORRECTIONS, content.CORRECTIONS_MAPPING, note)


def _job(
    project: Project, prompt: PromptVersion, training: DatasetVersion, held_out: DatasetVersion
) -> FineTuningJob:
    """The demo's job: the one that is there unless it was ended early, else a new one."""
    there = FineTuningJob.objects.filter(project=project, name=content.JOB_NAME)
    good = there.exclude(status__in=(Status.FAILED, Status.CANCELLED, Status.STOPPED)).order_by("number")
    job = good.first() or job_create(
        project=project,
        by=BY,
        name=content.JOB_NAME,
        base={"kind": "embedded"},
        dataset_version=training,
        prompt_version=prompt,
        method=FineTuningJob.Method.SFT,
        technique=FineTuningJob.Technique.LORA,
        settings=content.TRAINING,
        evaluation={
            "dataset_version": str(held_out.pk),
            "prompt_version": str(prompt.pk),
            "evaluators": [version.evaluator.slug for version in evaluators(project)],
            "primary_metric": content.PRIMARY,
            "slice": "mistake",
        },
    )
    return job_ask_start(job=job, by=BY) if job.status == Status.DRAFT else job


def _follow_training(job: FineTuningJob, say: Say) -> None:
    """Wait until the job is over, telling how it goes whenever something has changed."""
    told, told_at = "", 0.0
    while True:
        job.refresh_from_db()
        line, now = training_line(job), time.monotonic()
        news = line != told and (now - told_at > _TELL_EVERY_S or job.is_over)
        if news:
            say(line)
            told, told_at = line, now
        if job.is_over:
            break
        if job.status == Status.DRAFT and job.checks.get("state") in ("failed", "done"):
            raise DemoFailed(f"{job.name} is still a draft. {job.status_reason}")
        time.sleep(POLL_S)
    if job.status != Status.COMPLETED:
        advice = " ".join(job.failure.get("advice", []))
        raise DemoFailed(f"{job.name} is {job.get_status_display().lower()}. {job.status_reason} {advice}")


def training_line(job: FineTuningJob) -> str:
    """How far it is: "English corrections: step 20 of 79, loss 0.183, 3:10 left"."""
    progress = job.progress
    if not progress.get("step"):
        return f"{job.name}: {progress.get('stage') or job.get_status_display().lower()}"
    parts = [f"step {progress['step']} of {progress.get('steps', '?')}"]
    newest = MetricPoint.objects.filter(job=job, trial=0, values__has_key="loss").order_by("-step").first()
    if newest is not None:
        parts.append(f"loss {newest.values['loss']:.3f}")
    if left := progress.get("seconds_left"):
        parts.append(f"{int(left) // 60}:{int(left) % 60:02} left")
    if job.is_over:
        parts.append(job.get_status_display().lower())
    return f"{job.name}: {', '.join(parts)}"


def _measured(job: FineTuningJob, say: Say) -> ModelMeasurement:
    """Wait for the runs of the measurement that the job's end has started, and for its verdict."""
    assert job.version is not None  # a completed job has one
    related = ("base_run__prompt_version", "run__prompt_version", "comparison__project")
    found = (
        ModelMeasurement.objects.filter(version=job.version).select_related(*related).order_by("id").first()
    )
    if found is None:
        raise DemoFailed(f"{job.version} was not measured.")
    if found.base_run is not None and found.run is not None:
        follow((found.base_run, found.run), say)
    ModelStatus = ModelMeasurement.Status
    while found.status in (ModelStatus.PENDING, ModelStatus.RUNNING):
        time.sleep(POLL_S)
        found.refresh_from_db(fields=["status", "status_reason", "verdict", "judged", "figures"])
    if found.status == ModelStatus.FAILED:
        raise DemoFailed(f"The measurement failed. {found.status_reason}")
    return found


def _verdict(measurement: ModelMeasurement) -> str:
    if not measurement.verdict:
        return ""
    return f"By the project's policy: {measurement.get_verdict_display().lower()}."
