"""Fine-tuning at a provider: a short look at each job now and then."""

from __future__ import annotations

from uuid import UUID

from celery import current_task

from apps.training.hosted.holding import hosted_jobs_sweep
from apps.training.hosted.moving import hosted_job_move
from worker.registry import sweeper, task


@task("worker.training.move_hosted_job", queue="default")
def move_hosted_job(job_id: str) -> None:
    hosted_job_move(job_id=UUID(job_id), worker=str(current_task.request.hostname))


sweeper("training.hosted_jobs")(hosted_jobs_sweep)
