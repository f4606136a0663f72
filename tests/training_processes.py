"""Which processes on this machine train a job."""

from __future__ import annotations

from pathlib import Path

from apps.training.models import FineTuningJob


def trainers_of(job: FineTuningJob) -> list[int]:
    """Ids of the processes that train the job now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if str(job.pk).encode() in command and b"apps.training.trainer" in command:
            found.append(int(folder.name))
    return found
