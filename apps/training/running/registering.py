"""Making a version of a checkpoint that a job has left: it failed, was cancelled, or went on too long."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.authors import actor_of
from apps.training.measuring.services import measurement_start
from apps.training.models import Checkpoint, FineTuningJob, ModelVersion, RegistryWork
from apps.training.registry.registering import version_register
from apps.training.registry.works import Status, work_enqueue, work_run
from apps.training.running.checkpoints import checkpoint_fetch
from apps.training.running.errors import CheckpointNotUsable

_GONE = "The files of this checkpoint are no longer there. Choose another one."


def job_register_checkpoint(*, job: FineTuningJob, checkpoint: Checkpoint, by: Actor) -> RegistryWork:
    """Ask for a version of a checkpoint of a job that is over; asked twice, it is the same work.

    Raises CheckpointNotUsable.
    """
    with transaction.atomic():
        locked = FineTuningJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
        if checkpoint.job_id != locked.pk or checkpoint.pruned_at is not None:
            raise CheckpointNotUsable(_GONE)
        if not locked.is_over:
            raise CheckpointNotUsable(f"{locked.name} still runs. Stop and keep it, or wait for its end.")
        waiting = RegistryWork.objects.filter(
            checkpoint=checkpoint, status__in=(Status.PENDING, Status.RUNNING)
        )
        if (known := waiting.first()) is not None:
            return known
        work = RegistryWork.objects.create(
            project_id=locked.project_id,
            kind=RegistryWork.Kind.CHECKPOINT,
            checkpoint=checkpoint,
            name=f"step {checkpoint.step} of {locked.name}"[:80],
            **RegistryWork.author_fields(by),
        )
        audit(
            by,
            "fine_tuning_job.register_checkpoint",
            locked,
            project=job.project,
            after={"step": checkpoint.step, "trial": checkpoint.trial},
        )
        work_enqueue(work)
    return work


def checkpoint_register(*, work_id: UUID) -> RegistryWork | None:
    """In a worker."""
    return work_run(work_id=work_id, doing=_registered)


def _registered(work: RegistryWork) -> ModelVersion:
    """The version of the checkpoint's weights, measured as the job asked. Raises ProductError.

    Its own folder is read: safetensors only, the trainer's states beside them are not.
    """
    assert work.checkpoint is not None
    related = ("job__project", "job__base_version", "job__dataset_version__dataset")
    checkpoint = Checkpoint.objects.select_related(*related).get(pk=work.checkpoint.pk)
    if checkpoint.pruned_at is not None:
        raise CheckpointNotUsable(_GONE)
    job, by = checkpoint.job, actor_of(work)
    root = Path(settings.STACK.training)
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"registering-{work.pk}-*"):  # by a worker that was killed; we hold the lease
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(mkdtemp(prefix=f"registering-{work.pk}-", dir=root))
    try:
        version = version_register(
            job=job,
            folder=checkpoint_fetch(checkpoint, folder),
            metrics={**checkpoint.metrics, "steps": checkpoint.step},
            environment=job.environment,
            by=by,
            step=checkpoint.step,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if job.evaluation:
        measurement_start(version=version, plan=job.evaluation, by=by)
    return version
