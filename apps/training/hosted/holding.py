"""Taking up a hosted job: the same lease and fence as for one that trains here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.training.models import FineTuningJob
from apps.training.running.claiming import AT_WORK, LEASE
from apps.training.running.services import HOSTED_TASK

Status = FineTuningJob.Status
#: A look that is so much later than planned was lost with its worker or the broker.
OVERDUE = timedelta(seconds=30)
#: Clocks of machines differ by so much.
_EARLY = timedelta(seconds=2)
_RELATED = ("project", "provider", "dataset_version__dataset", "prompt_version", "training_set")
#: What a new try at the provider does not take over from the one before.
_OF_TROUBLE = ("trouble_since", "troubles")
_OF_ONE_TRY = ("job", "ended", "model", "event", *_OF_TROUBLE)


def claim(job_id: UUID, worker: str) -> FineTuningJob | None:
    """The job under a new lease; None where it is over, gone, in another worker's hands, or not to be looked
    at yet: a message that was sent twice must not be followed by two."""
    now = timezone.now()
    with transaction.atomic():
        job = (
            _at_work()
            .select_for_update(skip_locked=True, of=("self",))
            .filter(pk=job_id)
            .filter(Q(lease_until=None) | Q(lease_until__lt=now))
            .filter(Q(status=Status.PENDING) | Q(offered_at=None) | Q(offered_at__lt=now + _EARLY))
            .first()
        )
        if job is None:
            return None
        if job.status == Status.PENDING:
            job.hosted = _for_another_try(job.hosted)
            job.attempt += 1
            job.status = Status.STOPPING if job.stop_requested else Status.RUNNING
            job.progress = {**job.progress, "stage": "preparing"}
        job.fence += 1
        job.worker = worker[:200]
        job.lease_until = now + LEASE
        job.started_at = job.started_at or now
        job.save()
    return FineTuningJob.objects.select_related(*_RELATED).get(pk=job_id)


def look_again(job: FineTuningJob, *, after_s: float) -> None:
    """Let go of the lease, and have any worker look at the job again later."""
    now = timezone.now()
    ours = FineTuningJob.objects.filter(pk=job.pk, fence=job.fence, status__in=AT_WORK)
    with transaction.atomic():
        if ours.update(lease_until=None, offered_at=now + timedelta(seconds=after_s)):
            enqueue(HOSTED_TASK, queue="default", countdown=after_s, job_id=str(job.pk))


def hosted_jobs_sweep() -> None:
    """Send those jobs again that nobody has looked at when it was time."""
    now = timezone.now()
    late = _at_work().filter(Q(offered_at=None) | Q(offered_at__lt=now - OVERDUE))
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    for pk in late.filter(free).order_by("id").values_list("pk", flat=True)[:200]:
        FineTuningJob.objects.filter(pk=pk).update(offered_at=now)
        enqueue(HOSTED_TASK, queue="default", job_id=str(pk))


def _at_work() -> QuerySet[FineTuningJob]:
    return FineTuningJob.objects.filter(
        technique=FineTuningJob.Technique.HOSTED, status__in=(Status.PENDING, *AT_WORK)
    )


def _for_another_try(hosted: dict[str, Any]) -> dict[str, Any]:
    """A job that ended at the provider is not gone on with: the files are, and a new job is made of them.

    One that did not end (only we had failed) is.
    """
    if not hosted.get("ended"):
        return {name: value for name, value in hosted.items() if name not in _OF_TROUBLE}
    kept = {name: value for name, value in hosted.items() if name not in _OF_ONE_TRY}
    return {**kept, "earlier": [*hosted.get("earlier", []), hosted["job"]]}
