"""Reading jobs and what is seen of them. Everything starts from the project."""

from __future__ import annotations

from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from apps.core.models import Project
from apps.training.models import Checkpoint, FineTuningJob, LogLine, MetricPoint, SampleOutput, Trial
from apps.training.watching.errors import CheckpointNotFound, JobNotFound

Status = FineTuningJob.Status
#: Somebody works on these, or will.
AT_WORK = (Status.PENDING, Status.RUNNING, Status.STOPPING, Status.REGISTERING)
MOST_TAIL = 200


def job_list(*, project: Project, status: str = "", method: str = "", q: str = "") -> QuerySet[FineTuningJob]:
    """The project's jobs, each with `last_values`: the figures of its last step. "work": any at work."""
    jobs = FineTuningJob.objects.filter(project=project).select_related(
        "dataset_version__dataset", "base_version", "version", "provider"
    )
    if status == "work":
        jobs = jobs.filter(status__in=AT_WORK)
    elif status in Status.values:
        jobs = jobs.filter(status=status)
    if method in FineTuningJob.Method.values:
        jobs = jobs.filter(method=method)
    if q:
        jobs = jobs.filter(name__icontains=q[:200].replace("\x00", ""))
    newest = MetricPoint.objects.filter(job=OuterRef("pk"), trial=0).order_by("-step")
    return jobs.annotate(last_values=Subquery(newest.values("values")[:1]))


def job_get(*, project: Project, number: int) -> FineTuningJob:
    """A job with all it stands on. Raises JobNotFound."""
    found = None
    if 0 < number < 2**31:
        found = (
            FineTuningJob.objects.filter(project=project, number=number)
            .select_related(
                "project",
                "dataset_version__dataset",
                "training_set",
                "prompt_version__prompt",
                "base_version",
                "version",
                "provider",
            )
            .first()
        )
    if found is None:
        raise JobNotFound(f"There is no fine-tuning job {number} in {project.name}.")
    return found


def points_of(job: FineTuningJob, *, trial: int = 0) -> QuerySet[MetricPoint]:
    return MetricPoint.objects.filter(job=job, trial=trial).order_by("step")


def log_of(job: FineTuningJob) -> QuerySet[LogLine]:
    return LogLine.objects.filter(job=job)


def log_tail(job: FineTuningJob, most: int = MOST_TAIL) -> list[LogLine]:
    """The last lines, oldest first."""
    return list(log_of(job).order_by("-id")[:most])[::-1]


def samples_of(job: FineTuningJob) -> QuerySet[SampleOutput]:
    return SampleOutput.objects.filter(job=job).order_by("step", "place")


def checkpoints_of(job: FineTuningJob) -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(job=job).order_by("trial", "step")


def checkpoint_get(job: FineTuningJob, id: UUID) -> Checkpoint:
    """Raises CheckpointNotFound."""
    found = Checkpoint.objects.filter(job=job, pk=id).first()
    if found is None:
        raise CheckpointNotFound(f"{job.name} has no such checkpoint.")
    return found


def trials_of(job: FineTuningJob) -> QuerySet[Trial]:
    """The tries of its sweep; number 0, the training itself, is none of them."""
    return Trial.objects.filter(job=job, number__gt=0).order_by("number")


def jobs_before(job: FineTuningJob) -> int:
    """How many jobs of any project a worker takes up before this one, which waits."""
    return FineTuningJob.objects.filter(
        status=Status.PENDING, technique__in=("lora", "full"), id__lt=job.pk
    ).count()
