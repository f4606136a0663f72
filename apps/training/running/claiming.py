"""Who trains a job: a lease that is renewed, and a fence that is checked at each write.

A worker that was held up longer than its lease may find that another one has taken the job over; its fence is
then an old number, and nothing that it writes is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.training.models import Checkpoint, FineTuningJob
from apps.training.running.errors import LeaseLost

LEASE = timedelta(seconds=30)
RENEW_EVERY_S = 3.0
#: A job that took so many workers down without coming to a new checkpoint is given up.
MOST_LOSSES = 4
Status = FineTuningJob.Status
AT_WORK = (Status.RUNNING, Status.STOPPING, Status.REGISTERING)
HOSTED = FineTuningJob.Technique.HOSTED


def waiting_jobs() -> Q:
    """Jobs that wait for a worker, and those whose worker went silent."""
    silent = Q(status__in=AT_WORK) & (Q(lease_until=None) | Q(lease_until__lt=timezone.now()))
    return (Q(status=Status.PENDING) | silent) & ~Q(technique=HOSTED)


def claim_next(worker: str) -> FineTuningJob | None:
    """Take up the job that has waited longest, abandoned ones first; None where none waits."""
    with transaction.atomic():
        job = (
            FineTuningJob.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(waiting_jobs())
            .order_by(F("lease_until").asc(nulls_last=True), "offered_at", "id")
            .first()
        )
        if job is None:
            return None
        now = timezone.now()
        job.status = Status.STOPPING if job.stop_requested else Status.RUNNING
        job.status_reason = ""
        job.fence += 1
        job.attempt += 1
        job.worker = worker[:200]
        job.lease_until = now + LEASE
        job.started_at = job.started_at or now
        job.progress = {**job.progress, "stage": "preparing"}
        job.save()
    return _whole(job.pk)


def _whole(pk: UUID) -> FineTuningJob:
    related = ("project", "dataset_version__dataset", "prompt_version", "training_set", "base_version")
    return FineTuningJob.objects.select_related(*related).get(pk=pk)


def losses(job: FineTuningJob) -> int:
    """How many workers in a row took the job up, and were lost before they came to a checkpoint."""
    newest = Checkpoint.objects.filter(job=job).order_by("-attempt").values_list("attempt", flat=True).first()
    return job.attempt - 1 - max(newest or 0, job.attempts_before)


def hold(job: FineTuningJob, **fields: Any) -> None:
    """Renew the lease, and write `fields`. Raises LeaseLost where the job is no longer ours."""
    ours = FineTuningJob.objects.filter(pk=job.pk, fence=job.fence, status__in=AT_WORK)
    if not ours.update(lease_until=timezone.now() + LEASE, **fields):
        raise LeaseLost(str(job.pk))
    for name, value in fields.items():
        if not hasattr(value, "resolve_expression"):
            setattr(job, name, value)


@contextmanager
def fenced(job: FineTuningJob) -> Iterator[None]:
    """A transaction in which the job stays ours. Raises LeaseLost where it is not."""
    with transaction.atomic():
        held = FineTuningJob.objects.select_for_update(of=("self",)).filter(
            pk=job.pk, fence=job.fence, status__in=AT_WORK
        )
        if not held.values_list("pk", flat=True).first():
            raise LeaseLost(str(job.pk))
        yield


def give_back(job: FineTuningJob) -> None:
    """Let the next worker take the job up at once: this one is about to end."""
    ours = FineTuningJob.objects.filter(pk=job.pk, fence=job.fence, status__in=AT_WORK)
    # Its going is nobody's loss, so the attempt does not count.
    ours.update(lease_until=timezone.now(), attempts_before=F("attempts_before") + 1, offered_at=None)


class Keeper:
    """A thread that renews the lease while its job is held, and hears what people ask meanwhile.

    `lost` is set when the job is no longer ours; `asked` is "keep" or "cancel" once somebody asks to stop.
    """

    def __init__(self, job: FineTuningJob) -> None:
        self.lost = threading.Event()
        self.asked = job.stop_requested
        self._pk, self._fence = job.pk, job.fence
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="training-lease", daemon=True)

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Renew no more: a lease that is given back would be taken again."""
        self._end.set()
        self._thread.join()

    def check(self) -> None:
        """Raises LeaseLost."""
        if self.lost.is_set():
            raise LeaseLost(str(self._pk))

    def _run(self) -> None:
        wait = RENEW_EVERY_S / 3
        try:
            while not self._end.wait(wait):
                self._renew()
                if self.lost.is_set():
                    return
        finally:
            connection.close()

    def _renew(self) -> None:
        """A database that is away for a moment is asked again; the lease lasts longer than that."""
        try:
            ours = FineTuningJob.objects.filter(pk=self._pk, fence=self._fence, status__in=AT_WORK)
            if not ours.update(lease_until=timezone.now() + LEASE):
                self.lost.set()
                return
            self.asked = ours.values_list("stop_requested", flat=True).first() or self.asked
        except (OperationalError, InterfaceError):
            connection.close()
