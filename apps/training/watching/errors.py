"""What can go wrong with looking at jobs."""

from apps.core.errors import NotFound


class JobNotFound(NotFound):
    code = "fine_tuning_job_not_found"
    title = "There is no such fine-tuning job"


class CheckpointNotFound(NotFound):
    code = "checkpoint_not_found"
    title = "There is no such checkpoint"
