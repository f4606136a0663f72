"""How far an import is: rate and time left, from what its worker wrote last."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from apps.datasets.models import DatasetImport

#: Of the time an import takes, what reading and staging take; the rest is publishing.
_SHARE_OF_READING = 0.5


@dataclass(frozen=True)
class ImportProgress:
    """Sizes in MB (10^6 bytes), rate in rows a second, times in seconds; None while not known."""

    megabytes_read: float
    megabytes: float
    rows_per_second: float | None
    seconds: float | None
    seconds_left: float | None


def import_progress(job: DatasetImport) -> ImportProgress:
    end = job.finished_at or timezone.now()
    seconds = (end - job.started_at).total_seconds() if job.started_at else None
    reading = job.status == DatasetImport.Status.RUNNING and not job.publishing and job.bytes_read > 0
    left = None
    if reading and seconds:
        whole = seconds * job.size_bytes / job.bytes_read / _SHARE_OF_READING
        left = max(0.0, whole - seconds)
    return ImportProgress(
        megabytes_read=job.bytes_read / 1e6,
        megabytes=job.size_bytes / 1e6,
        rows_per_second=job.rows_read / seconds if seconds and job.rows_read else None,
        seconds=seconds,
        seconds_left=left,
    )
