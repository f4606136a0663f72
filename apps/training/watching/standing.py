"""Where a job stands, in words: its stage, what it waits for, what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.core.figures import number
from apps.core.models import WorkerHeartbeat
from apps.training.models import FineTuningJob
from apps.training.watching.selectors import AT_WORK, jobs_before

Status = FineTuningJob.Status
#: A worker that has not been heard of for so long is taken for gone.
ALIVE = timedelta(seconds=60)
STAGES = {
    "checking": "Checking disk and data",
    "preparing": "Preparing the data",
    "loading": "Loading the base model",
    "tokenizing": "Turning rows into tokens",
    "sampling": "Answering the fixed prompts",
    "training": "Training",
    "saving": "Saving",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the top of the page says. `step` of `steps`; None where it is not known yet."""

    step: int
    steps: int | None
    stage: str
    #: What it waits for, or that its worker is lost; "" while all is well.
    remark: str
    at_work: bool
    may_stop: bool
    may_keep: bool
    may_cancel: bool
    may_retry: bool


def standing_of(job: FineTuningJob) -> Standing:
    stopping = bool(job.stop_requested)
    moves = job.status in (Status.PENDING, Status.RUNNING)
    begun = job.status == Status.RUNNING or bool(job.attempt and job.status == Status.PENDING)
    return Standing(
        step=_whole(job.progress.get("step")) or 0,
        steps=_whole(job.progress.get("steps")),
        stage=_stage(job),
        remark=_remark(job),
        at_work=job.status in AT_WORK,
        may_stop=moves and not stopping,
        may_keep=moves and not stopping and begun,
        may_cancel=job.status in (Status.PENDING, Status.RUNNING, Status.STOPPING)
        and job.stop_requested != "cancel",
        may_retry=job.may_go_on,
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _stage(job: FineTuningJob) -> str:
    if job.status == Status.STOPPING:
        kept = job.stop_requested == "keep"
        return "Finishing its step, to keep what it has" if kept else "Stopping"
    if job.status == Status.REGISTERING:
        return "Putting the model into the registry"
    if job.status != Status.RUNNING:
        return ""
    stage = STAGES.get(str(job.progress.get("stage", "")), "Starting")
    tries, trial = job.sweep.get("trials"), _whole(job.progress.get("trial"))
    if tries and trial:
        return f"Try {trial} of {tries}: {stage[0].lower()}{stage[1:]}"
    return f"{stage} with the best settings" if tries and stage == "Training" else stage


def _remark(job: FineTuningJob) -> str:
    if job.status == Status.PENDING:
        return _waits_for(job)
    lease = job.lease_until
    if job.status in (Status.RUNNING, Status.STOPPING) and lease is not None and lease < timezone.now():
        return (
            f"Its worker has not been heard of since {timezone.localtime(lease):%H:%M:%S}. The next free one "
            "goes on from the last checkpoint."
        )
    return ""


def _waits_for(job: FineTuningJob) -> str:
    if job.technique == FineTuningJob.Technique.HOSTED:
        return f"Waits to be sent to {job.provider.name if job.provider else 'its provider'}."
    workers = WorkerHeartbeat.objects.filter(
        queues__contains=["gpu"], seen_at__gt=timezone.now() - ALIVE
    ).count()
    if not workers:
        return (
            "No worker that trains is running. Start one for the queue “gpu”: it takes this job up by itself."
        )
    ahead = jobs_before(job)
    if ahead:
        jobs = "one job" if ahead == 1 else f"{number(ahead)} jobs"
        return f"Waits its turn: {jobs} before it, {number(workers)} at a time."
    return "A worker takes it up in a moment."
