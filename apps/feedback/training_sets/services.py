"""Making training sets: asking for one, freezing it, making it again, deleting it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.selectors import dataset_get
from apps.feedback.models import TrainingSet
from apps.feedback.training_sets.errors import NotPreviewed, NoTrainingDataset, TrainingSetFrozen
from apps.feedback.training_sets.lease import PATIENCE, first_fence_after, left_alone
from apps.feedback.training_sets.recipe import Recipe, read_recipe
from apps.feedback.training_sets.selectors import datasets_for_training

PREVIEW_TASK = "worker.feedback.preview_training_set"
FREEZE_TASK = "worker.feedback.freeze_training_set"
LONGEST_NAME = 120
_SWEPT_AT_ONCE = 50
Status = TrainingSet.Status


def training_set_create(
    *, project: Project, by: Actor, name: str, method: str, recipe: Recipe
) -> TrainingSet:
    """Ask for a set; a worker makes its preview. Raises InvalidInput."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise InvalidInput(
            f"A name has 1 to {LONGEST_NAME} characters.", fields={"name": ["Give it a name."]}
        )
    if method not in TrainingSet.Method.values:
        raise InvalidInput("method: Choose sft, kto or dpo.", fields={"method": ["Choose sft, kto or dpo."]})
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one number at a time
        last = TrainingSet.objects.filter(project=project).aggregate(last=Max("number"))["last"]
        made = TrainingSet.objects.create(
            project=project,
            number=(last or 0) + 1,
            name=name,
            method=method,
            settings=recipe.as_json(),
            lease_until=timezone.now() + PATIENCE,
            **TrainingSet.author_fields(by),
        )
        audit(
            by, "training_set.create", made, project=project, after={"number": made.number, "method": method}
        )
        enqueue(PREVIEW_TASK, queue="default", set_id=str(made.pk))
    return made


def training_set_again(*, training_set: TrainingSet, by: Actor) -> TrainingSet:
    """A new set by the same settings, from the judgements as they are now: without those that were withdrawn
    or erased since."""
    return training_set_create(
        project=training_set.project,
        by=by,
        name=training_set.name,
        method=training_set.method,
        recipe=read_recipe(training_set.settings),
    )


def training_set_preview_again(*, training_set: TrainingSet, by: Actor) -> TrainingSet:
    """Have the preview of a set that is not frozen made anew. Raises TrainingSetFrozen."""
    with transaction.atomic():
        locked = _locked(training_set)
        if locked.status == Status.COMPLETED:
            raise TrainingSetFrozen(f"{locked.name} is frozen. Make it again as a new set.")
        preview_ask(locked)
    return locked


def preview_ask(training_set: TrainingSet, *, reason: str = "") -> None:
    """Send the set to a worker, in the caller's transaction, under the row's lock; `reason` is shown with the
    preview."""
    training_set.status, training_set.status_reason = Status.PENDING, reason
    training_set.progress, training_set.fence = {}, first_fence_after(training_set.fence)
    training_set.lease_until = timezone.now() + PATIENCE
    training_set.save()
    enqueue(PREVIEW_TASK, queue="default", set_id=str(training_set.pk))


def training_set_freeze(
    *, training_set: TrainingSet, by: Actor, dataset: str = "", name: str = "", note: str = ""
) -> TrainingSet:
    """Ask a worker to make the previewed rows a version of a dataset.

    That is the existing `dataset` (a slug; one that holds training sets), or a new one called `name` (the
    set's own name where neither is given).

    Asked again, it changes nothing. Raises NotPreviewed, NoTrainingDataset, DatasetNotFound.
    """
    with transaction.atomic():
        locked = _locked(training_set)
        if locked.status in (Status.COMPLETED, Status.FREEZING):
            return locked
        if locked.status != Status.PREVIEWED:
            raise NotPreviewed(f"{locked.name} has no preview yet. Freeze it when its preview is there.")
        if not locked.figures.get("rows"):
            raise NotPreviewed(f"{locked.name} has no row: all judgements were left out. See why below.")
        if dataset:
            _check_dataset(locked.project, dataset)
        locked.status, locked.status_reason = Status.FREEZING, ""
        locked.target = {
            "dataset": dataset,
            "name": name.strip()[:LONGEST_NAME],
            "note": note.strip()[:2000],
            "by": {"kind": by.kind, "id": by.id, "label": by.label, "address": by.address},
        }
        locked.lease_until = timezone.now() + PATIENCE
        locked.save()
        enqueue(FREEZE_TASK, queue="default", set_id=str(locked.pk))
    return locked


def _check_dataset(project: Project, slug: str) -> None:
    chosen = dataset_get(project=project, slug=slug)
    if not datasets_for_training(project).filter(pk=chosen.pk).exists():
        raise NoTrainingDataset(
            f"{chosen.name} holds other examples, which the training set would take the place of. "
            "Choose a dataset that an earlier training set made, or a new one."
        )


def training_set_delete(*, training_set: TrainingSet, by: Actor) -> None:
    """Throw a set away that is not frozen; a worker that makes it stops. Raises TrainingSetFrozen."""
    with transaction.atomic():
        locked = _locked(training_set)
        if locked.status == Status.COMPLETED:
            raise TrainingSetFrozen(f"{locked.name} is frozen: what was trained on it must stay known.")
        before: dict[str, Any] = {"number": locked.number, "method": locked.method}
        audit(by, "training_set.delete", locked, project=locked.project, before=before)
        locked.delete()


def training_file_taken(*, training_set: TrainingSet, by: Actor, name: str) -> None:
    """Record that somebody took a file away: from then on the rows are elsewhere too."""
    audit(by, "training_set.export", training_set, project=training_set.project, after={"file": name})


def training_sets_sweep() -> int:
    """Take up sets whose worker died or whose message was lost. Returns how many."""
    with transaction.atomic():
        waiting = list(left_alone().select_for_update(skip_locked=True)[:_SWEPT_AT_ONCE])
        for each in waiting:
            task = FREEZE_TASK if each.status == Status.FREEZING else PREVIEW_TASK
            enqueue(task, queue="default", set_id=str(each.pk))
        TrainingSet.objects.filter(pk__in=[each.pk for each in waiting]).update(
            lease_until=timezone.now() + PATIENCE
        )
    return len(waiting)


def _locked(training_set: TrainingSet) -> TrainingSet:
    return (
        TrainingSet.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project")
        .get(pk=training_set.pk)
    )
