"""Checks and previews of drafts of fine-tuning jobs."""

from __future__ import annotations

from uuid import UUID

from apps.training.planning.checking import check_run
from apps.training.planning.services import checks_sweep
from worker.registry import sweeper, task


@task("worker.training.check_job", queue="default")
def check_job(job_id: str) -> None:
    check_run(job_id=UUID(job_id))


sweeper("training.checks")(checks_sweep)
