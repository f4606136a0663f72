"""Previews of training sets, and freezing them."""

from __future__ import annotations

from uuid import UUID

from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.services import training_sets_sweep
from worker.registry import sweeper, task


@task("worker.feedback.preview_training_set", queue="default")
def preview_training_set(set_id: str) -> None:
    preview_run(set_id=UUID(set_id))


@task("worker.feedback.freeze_training_set", queue="default")
def freeze_training_set(set_id: str) -> None:
    freeze_run(set_id=UUID(set_id))


sweeper("feedback.training_sets")(training_sets_sweep)
