"""What can go wrong with planning a job."""

from apps.core.errors import Conflict


class JobStarted(Conflict):
    code = "fine_tuning_job_started"
    title = "The job was started"


class ChecksFailed(Conflict):
    code = "fine_tuning_checks_failed"
    title = "The job cannot be started as it is"
