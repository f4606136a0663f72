"""How a hosted job ends: with a version that is measured, cancelled, or with a reason in plain words."""

from __future__ import annotations

from typing import Any

from apps.core.authors import actor_of
from apps.training.hosted.api import Json
from apps.training.hosted.registering import environment_of, hosted_version_register
from apps.training.measuring.services import measurement_start
from apps.training.models import FineTuningJob
from apps.training.running.claiming import fenced
from apps.training.running.errors import JobFailure, LeaseLost
from apps.training.running.finishing import job_end, tell

Status = FineTuningJob.Status


def completed(job: FineTuningJob) -> None:
    """Register what the provider made, and have it measured where the job has a plan for that."""
    provider = job.provider
    assert provider is not None  # a hosted job has one before it starts
    by = actor_of(job)
    with fenced(job):
        model, kept = str(job.hosted["model"]), bool(job.hosted.get("kept"))
        version = hosted_version_register(job=job, provider=provider, model=model, by=by)
        status = Status.STOPPED if kept else Status.COMPLETED
        environment = environment_of(provider)
        job_end(job, status, version=version, base_version=version.base, environment=environment)
        if job.evaluation:
            measurement_start(version=version, plan=job.evaluation, by=by)
        else:
            tell(job, f"{job.name} is trained: {version.full_name}", tone="good")


def cancelled(job: FineTuningJob, why: str) -> None:
    job_end(job, Status.CANCELLED, reason=why)


def failed(job: FineTuningJob, failure: JobFailure) -> None:
    """The job is over; people read why, and what to do. A lost lease means that another worker decides."""
    usable = ""
    if kept := job.hosted.get("model"):
        usable = f"The provider has made {kept}: let the job go on, and it is registered."
    told: dict[str, Any] = {"kind": failure.kind, "advice": list(failure.advice), "usable": usable}
    try:
        with fenced(job):
            job_end(job, Status.FAILED, reason=failure.message, failure=told)
            tell(job, f"{job.name} failed", text=failure.message, tone="bad")
    except LeaseLost:
        return


def kept_of(checkpoint: Json) -> str:
    """The name of the model that a provider kept on the way; "" for none."""
    return str(checkpoint.get("fine_tuned_model_checkpoint") or "")
