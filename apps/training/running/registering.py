"""Making a version of a checkpoint that a job has left: it failed, was cancelled, or went on too long."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

from django.conf import settings

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.training.measuring.services import measurement_start
from apps.training.models import Checkpoint, FineTuningJob, ModelVersion
from apps.training.registry.registering import version_register
from apps.training.running.checkpoints import checkpoint_fetch
from apps.training.running.finishing import tell


def checkpoint_register(*, checkpoint_id: UUID, by: Actor) -> ModelVersion | None:
    """The version of a checkpoint's weights; None where it could not be made, and the job's author is told.

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
    root = Path(settings.STACK.training)
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="registering-", dir=root))  # of its own: somebody may ask twice
    try:
        version = version_register(
            job=job,
            folder=checkpoint_fetch(checkpoint, folder),
            metrics={**checkpoint.metrics, "steps": checkpoint.step},
            environment=job.environment,
            by=by,
            step=checkpoint.step,
        )
        if job.evaluation:
            measurement_start(version=version, plan=job.evaluation, by=by)
        return version
    except ProductError as error:
        title = f"Step {checkpoint.step} of {job.name} could not be registered"
        tell(job, title, text=error.detail, tone="bad")
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
