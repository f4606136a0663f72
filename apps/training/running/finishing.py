"""How a job ends: registered and measured, stopped, cancelled, or failed with what can still be used."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from apps.core.authors import actor_of
from apps.core.models import User
from apps.core.notifications import notify
from apps.training.measuring.services import measurement_start
from apps.training.models import Checkpoint, FineTuningJob, ModelVersion, TrainingWorker
from apps.training.planning.forecasts import forecast_of
from apps.training.registry.registering import version_register
from apps.training.running.claiming import Keeper, fenced, hold
from apps.training.running.errors import JobFailure
from apps.training.running.supervising import Cancelled, Trained
from apps.training.running.sweeps import trials_end
from apps.training.running.workers import forecast_record
from apps.training.trainer.failures import DIVERGED

Status = FineTuningJob.Status
NOTHING_KEPT = "Stopped before a model was there to keep."


def job_register(job: FineTuningJob, trained: Trained, keeper: Keeper) -> ModelVersion:
    """Make a version of what was trained, end the job, and have the version measured.

    Raises LeaseLost, BadWeights, and Cancelled where somebody asked for that after the last step. A worker
    that is lost in between leaves a job that the next one ends: the same weights of the same job are one
    version.
    """
    by = actor_of(job)
    with fenced(job):
        if FineTuningJob.objects.filter(pk=job.pk, stop_requested="cancel").exists():
            raise Cancelled
        hold(job, status=Status.REGISTERING, progress={**job.progress, "stage": "registering"})
    keeper.check()
    if trained.folder is None:
        raise JobFailure("other", "The trainer ended without weights.")
    metrics = {**trained.metrics, "steps": trained.step, "seconds": round(job_seconds(job), 1)}
    if trained.best_step is not None:
        metrics["best_step"] = trained.best_step
    version = version_register(
        job=job,
        folder=trained.folder,
        metrics=metrics,
        environment=job.environment,
        by=by,
        held=lambda: fenced(job),
    )
    with fenced(job):
        status = Status.STOPPED if trained.stopped else Status.COMPLETED
        job_end(job, status, version=version)
        if job.evaluation:
            measurement_start(version=version, plan=job.evaluation, by=by)
        else:
            tell(job, f"{job.name} is trained: {version.full_name}", tone="good")
    if not trained.stopped and not trained.early:
        keep_forecast(job)
    return version


def keep_forecast(job: FineTuningJob) -> None:
    """What the worker's speed made of the estimate; of a job that it trained alone, all of its steps."""
    worker = TrainingWorker.objects.filter(name=job.worker).first()
    if worker is not None and job.attempt == 1:
        forecast_record(worker, forecast_s=forecast_of(job, worker), took_s=job_seconds(job))


def job_seconds(job: FineTuningJob) -> float:
    return FineTuningJob.objects.values_list("trained_s", flat=True).get(pk=job.pk)


def job_end(job: FineTuningJob, status: str, *, reason: str = "", **fields: Any) -> None:
    """Write the end; the lease is free. Raises LeaseLost."""
    progress = {name: value for name, value in job.progress.items() if name not in ("stage", "seconds_left")}
    with fenced(job):
        hold(
            job, progress=progress, status=status, status_reason=reason, finished_at=timezone.now(), **fields
        )
        FineTuningJob.objects.filter(pk=job.pk).update(lease_until=None)


def job_fail(job: FineTuningJob, failure: JobFailure) -> None:
    """End it with why, what to do about it, and what it still has. Raises LeaseLost."""
    told = {"kind": failure.kind, "advice": list(failure.advice), "usable": usable_words(job, failure.kind)}
    with fenced(job):
        trials_end(job, failure.message)
        job_end(job, Status.FAILED, reason=failure.message, failure=told)
        tell(job, f"{job.name} failed", text=failure.message, tone="bad")


def usable_words(job: FineTuningJob, kind: str) -> str:
    """What a job that ended too early still has; "" for nothing."""
    newest = Checkpoint.objects.filter(job=job, trial=0, pruned_at=None).order_by("-step").first()
    if newest is None:
        return ""
    of = f" of {job.progress['steps']}" if job.progress.get("steps") else ""
    or_else = "" if kind == DIVERGED else ", or gone on from"
    return f"The checkpoint of step {newest.step}{of} can be registered as it is{or_else}."


def job_give_up(job: FineTuningJob, *, keep_asked: bool) -> None:
    """End a job that was asked to stop and has nothing to register."""
    status = Status.STOPPED if keep_asked else Status.CANCELLED
    with fenced(job):
        trials_end(job, "Stopped.")
        job_end(job, status, reason=NOTHING_KEPT if keep_asked else "")


def tell(job: FineTuningJob, title: str, *, text: str = "", tone: str = "neutral") -> None:
    """The job's author, who may have left the page long ago."""
    if job.author_kind != "user":
        return
    user = User.objects.filter(pk=job.author_id).first() if job.author_id else None
    if user is None:
        return
    try:
        url = reverse("training:job-detail", args=(job.project.slug, job.number))
    except NoReverseMatch:
        url = ""
    with transaction.atomic():
        notify(
            user=user,
            project=job.project,
            key=f"fine-tuning-job:{job.pk}:{job.attempt}:{title}"[:200],
            title=title,
            text=text,
            url=url,
            tone=tone,
        )
