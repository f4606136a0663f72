"""Making a version of a checkpoint that a job has left: it failed, was cancelled, or went on too long."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings

from apps.core.actor import Actor
from apps.training.models import Checkpoint, FineTuningJob, ModelVersion
from apps.training.registry.registering import version_register
from apps.training.running.checkpoints import checkpoint_fetch


def checkpoint_register(*, checkpoint_id: UUID, by: Actor) -> ModelVersion | None:
    """The version of a checkpoint's weights; None where its files are gone meanwhile.

    Its own folder is read: safetensors only, the trainer's states beside them are not.
    """
    checkpoint = (
        Checkpoint.objects.select_related(
            "job__project", "job__base_version", "job__dataset_version__dataset"
        )
        .filter(pk=checkpoint_id, pruned_at=None)
        .first()
    )
    if checkpoint is None:
        return None
    job: FineTuningJob = checkpoint.job
    folder = Path(settings.STACK.training) / f"registering-{checkpoint.pk}"
    try:
        return version_register(
            job=job,
            folder=checkpoint_fetch(checkpoint, folder),
            metrics={**checkpoint.metrics, "steps": checkpoint.step},
            environment=job.environment,
            by=by,
            step=checkpoint.step,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
