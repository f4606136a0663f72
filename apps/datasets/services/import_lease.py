"""Who may work on an import: a lease with a fencing number, checked at each write."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.datasets.errors import LeaseLost
from apps.datasets.models import DatasetImport

LEASE = timedelta(seconds=60)
#: Publishing waits for other imports into the same dataset, and writes all rows in one statement.
LEASE_TO_PUBLISH = timedelta(minutes=5)
MOST_CLAIMS = 5

Status = DatasetImport.Status


def claim(import_id: UUID) -> DatasetImport | None:
    """Take the import up, from its beginning; None where it is done, cancelled or somebody else's."""
    now = timezone.now()
    free = Q(status=Status.PENDING) | Q(status=Status.RUNNING, lease_until__lt=now)
    claimed = DatasetImport.objects.filter(free, pk=import_id).update(
        status=Status.RUNNING,
        fence=F("fence") + 1,
        lease_until=now + LEASE,
        started_at=now,
        queued_at=None,
        rows_read=0,
        bytes_read=0,
        rows_staged=0,
        rows_rejected=0,
        rows_blank=0,
        rows_unchanged=0,
        publishing=False,
    )
    if not claimed:
        return None
    return DatasetImport.objects.select_related("dataset", "dataset__project").get(pk=import_id)


def hold(job: DatasetImport, *, lease: timedelta = LEASE, **progress: int | bool) -> None:
    """Renew the lease and write progress. Raises LeaseLost where the import is no longer ours."""
    ours = DatasetImport.objects.filter(pk=job.pk, fence=job.fence, status=Status.RUNNING)
    if not ours.update(lease_until=timezone.now() + lease, **progress):
        raise LeaseLost(str(job.pk))
    for name, value in progress.items():
        setattr(job, name, value)


def lock_ours(job: DatasetImport) -> DatasetImport:
    """The import's row, locked until the transaction ends. Raises LeaseLost."""
    locked = DatasetImport.objects.select_for_update(no_key=True).get(pk=job.pk)
    if locked.fence != job.fence or locked.status != Status.RUNNING:
        raise LeaseLost(str(job.pk))
    return locked
