"""What can go wrong with starting, stopping and going on with a job."""

from apps.core.errors import Conflict


class JobNotADraft(Conflict):
    code = "fine_tuning_job_not_a_draft"
    title = "The job was started before"


class JobNotRunning(Conflict):
    code = "fine_tuning_job_not_running"
    title = "The job does not run"


class JobNotToRetry(Conflict):
    code = "fine_tuning_job_not_to_retry"
    title = "The job cannot go on"


class CheckpointNotUsable(Conflict):
    code = "checkpoint_not_usable"
    title = "The checkpoint cannot be used"


class LeaseLost(Exception):
    """The job was deleted or ended, or another worker has taken it over: write nothing more."""


class JobFailure(Exception):
    """The job cannot go on; `kind` as in FineTuningJob.failure, `advice`: what to do about it."""

    def __init__(self, kind: str, message: str, advice: tuple[str, ...] = ()) -> None:
        message = message.replace("\x00", "")  # what a library says may hold what the database does not take
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = tuple(text.replace("\x00", "") for text in advice)
