"""Previews of training sets, freezing them, and erasing the work of an annotator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.erasing.people import ANNOTATOR, Person
from apps.feedback.erasing.services import annotator_erase_run
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


@task("worker.feedback.erase_annotator", queue="default")
def erase_annotator(project_id: str, rater: str, by: dict[str, Any]) -> None:
    project = Project.objects.get(pk=UUID(project_id))
    actor = Actor(kind=by["kind"], id=by["id"], label=by["label"], role=Role.ADMIN, address=by["address"])
    annotator_erase_run(project=project, by=actor, person=Person(ANNOTATOR, rater))


sweeper("feedback.training_sets")(training_sets_sweep)
