"""What people ask of a job: to start, to stop, to go on."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.training.models import FineTuningJob
from apps.training.running.errors import (
    JobNotADraft,
    JobNotRunning,
    JobNotToRetry,
)

Status = FineTuningJob.Status
#: Takes up whichever job has waited longest.
TRAIN_TASK = "worker.training.train_next"
#: Moves a hosted job on by one step.
HOSTED_TASK = "worker.training.move_hosted_job"


def job_start(*, job: FineTuningJob, by: Actor) -> FineTuningJob:
    """Let a draft wait for a worker. What it is to do is frozen from here on. Raises JobNotADraft."""
    with transaction.atomic():
        locked = _locked(job)
        if locked.status != Status.DRAFT:
            raise JobNotADraft(f"{locked.name} is {locked.get_status_display().lower()} already.")
        locked.status, locked.status_reason, locked.failure = Status.PENDING, "", {}
        _offer(locked)
        locked.save()
        audit(by, "fine_tuning_job.start", locked, project=locked.project, after=_told(locked))
    return locked


def job_stop(*, job: FineTuningJob, by: Actor, keep: bool) -> FineTuningJob:
    """Stop a job that waits or runs; its worker notices within seconds. Raises JobNotRunning.

    With `keep` its last state is saved and registered, else it is cancelled.
    """
    with transaction.atomic():
        locked = _locked(job)
        if locked.is_over or locked.status in (Status.DRAFT, Status.REGISTERING):
            raise JobNotRunning(
                f"{locked.name} is {locked.get_status_display().lower()}: there is nothing to stop."
            )
        before = _told(locked)
        if locked.status == Status.PENDING and not (keep and locked.attempt) and not locked.hosted:
            locked.status, locked.finished_at = Status.CANCELLED, timezone.now()
            locked.status_reason = "Cancelled while it waited for a worker."
        else:
            locked.stop_requested = "keep" if keep else "cancel"
            if locked.status == Status.RUNNING:
                locked.status = Status.STOPPING
        locked.save()
        action = "fine_tuning_job.stop" if keep else "fine_tuning_job.cancel"
        audit(by, action, locked, project=locked.project, before=before, after=_told(locked))
    return locked


def job_retry(*, job: FineTuningJob, by: Actor) -> FineTuningJob:
    """Let a job that failed or was cancelled go on from its last checkpoint. Raises JobNotToRetry."""
    with transaction.atomic():
        locked = _locked(job)
        if locked.status not in (Status.FAILED, Status.CANCELLED):
            raise JobNotToRetry(
                f"{locked.name} is {locked.get_status_display().lower()}. Only a job that failed or was "
                "cancelled can go on."
            )
        if not locked.may_go_on:
            raise JobNotToRetry(
                f"{locked.name} would diverge again: its settings are fixed. Copy it to a new draft, and "
                "lower its learning rate."
            )
        before = _told(locked)
        locked.status, locked.status_reason, locked.failure = Status.PENDING, "", {}
        locked.stop_requested, locked.finished_at, locked.attempts_before = "", None, locked.attempt
        _offer(locked)
        locked.save()
        audit(by, "fine_tuning_job.retry", locked, project=locked.project, before=before, after=_told(locked))
    return locked


def _locked(job: FineTuningJob) -> FineTuningJob:
    return FineTuningJob.objects.select_for_update(of=("self",)).select_related("project").get(pk=job.pk)


def _offer(job: FineTuningJob) -> None:
    """Hosted jobs are the provider's to train: their own task moves them on."""
    job.offered_at = timezone.now()
    if job.technique == FineTuningJob.Technique.HOSTED:
        enqueue(HOSTED_TASK, queue="default", job_id=str(job.pk))
    else:
        enqueue(TRAIN_TASK, queue="gpu")


def _told(job: FineTuningJob) -> dict[str, str]:
    return {"status": job.status, "stop": job.stop_requested}
