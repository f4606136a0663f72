"""Reading the registry. Everything starts from the project."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.core.models import Project
from apps.datasets.models import Example
from apps.datasets.selectors import examples_of, splits_of
from apps.feedback.models import TrainingSet, TrainingSource
from apps.training.models import FineTuningJob, ModelState, ModelVersion, RegistryWork
from apps.training.registry.errors import ModelVersionNotFound
from apps.training.splits import has_train, part_of

State = ModelState.State
_GENERATIONS = 20
_WITH = ("state__model__provider", "base", "dataset_version__dataset", "project")


def version_list(*, project: Project, q: str = "", kind: str = "", state: str = "") -> QuerySet[ModelVersion]:
    """Versions with state, base and model; those that were deleted only where they are asked for."""
    rows = ModelVersion.objects.filter(project=project).select_related(*_WITH)
    if q:
        rows = rows.filter(name__icontains=q[:200].replace("\x00", ""))
    if kind in ModelVersion.Kind.values:
        rows = rows.filter(kind=kind)
    if state in State.values:
        return rows.filter(state__state=state)
    return rows.exclude(state__state=State.DELETED)


def version_get(*, project: Project, name: str, number: int) -> ModelVersion:
    """With state, base and model. Raises ModelVersionNotFound."""
    found = None
    if 0 < number < 2**31 and "\x00" not in name:
        rows = ModelVersion.objects.filter(project=project, name=name, number=number)
        found = rows.select_related(*_WITH).first()
    if found is None:
        raise ModelVersionNotFound(f"There is no model {name[:80]} version {number} in {project.name}.")
    return found


def siblings(version: ModelVersion) -> list[ModelVersion]:
    """The newest versions of the same name."""
    rows = ModelVersion.objects.filter(project_id=version.project_id, name=version.name)
    return list(rows.select_related("state").order_by("-number")[:20])


def children(version: ModelVersion) -> list[ModelVersion]:
    """What was made from the version, newest first; at most fifty."""
    return list(version.children.select_related("state").order_by("-id")[:50])


def ancestors(version: ModelVersion) -> list[ModelVersion]:
    """What the version stands on, nearest first. A query for each; a chain is a few long."""
    found: list[ModelVersion] = []
    base_id = version.base_id
    while base_id is not None and len(found) < _GENERATIONS:
        base = ModelVersion.objects.select_related("state").get(pk=base_id)
        found.append(base)
        base_id = base.base_id
    return found


def job_of(version: ModelVersion) -> FineTuningJob | None:
    number = version.recipe.get("job")
    if not isinstance(number, int):
        return None
    jobs = FineTuningJob.objects.filter(project_id=version.project_id, number=number)
    return jobs.select_related("training_set", "dataset_version__dataset").first()


def training_set_of(version: ModelVersion) -> TrainingSet | None:
    told = version.lineage.get("training_set") or {}
    number = told.get("number")
    if not isinstance(number, int):
        return None
    return TrainingSet.objects.filter(project_id=version.project_id, number=number).first()


def trained_rows(version: ModelVersion, split: str = "") -> QuerySet[Example]:
    """The rows that its training saw, validation included; none where it was not trained here.

    `split` is "train" or "validation", or the dataset's own name for one of them; "" is both.
    """
    if version.dataset_version is None:
        return Example.objects.none()
    names = splits_of(version.dataset_version)
    parts = {name: part_of(name, has_train=has_train(names)) for name in (*names, "")}
    wanted = [name for name, part in parts.items() if part and split in ("", part, name)]
    return examples_of(version.dataset_version).filter(split__in=wanted)


def has_erased(training_set: TrainingSet) -> bool:
    rows = TrainingSource.objects.filter(training_set=training_set, person=TrainingSource.ERASED)
    return rows.filter(counted=True).exists()


def versions_of_sets(*, project: Project, numbers: Iterable[int]) -> list[ModelVersion]:
    """Versions that were trained on these training sets, or that stand on one that was; not deleted ones."""
    wanted = sorted(set(numbers))
    if not wanted:
        return []
    known = ModelVersion.objects.filter(project=project, lineage__training_set__number__in=wanted)
    found = {version.pk: version for version in known.select_related("state", "base")}
    newest: list[UUID] = list(found)
    for _ in range(_GENERATIONS):
        made = ModelVersion.objects.filter(base__in=newest).exclude(pk__in=found)
        further = {version.pk: version for version in made.select_related("state", "base")}
        if not further:
            break
        found |= further
        newest = list(further)
    alive = [version for version in found.values() if version.state.state != State.DELETED]
    return sorted(alive, key=lambda version: version.pk, reverse=True)


def works_shown(project: Project) -> list[RegistryWork]:
    """Merges, imports and registrations that are under way, newest first."""
    waiting = Q(status__in=(RegistryWork.Status.PENDING, RegistryWork.Status.RUNNING))
    rows = RegistryWork.objects.filter(project=project).filter(waiting)
    return list(rows.select_related("source", "made").order_by("-id")[:10])


def work_get(*, project: Project, id: UUID) -> RegistryWork:
    found = (
        RegistryWork.objects.filter(project=project, pk=id)
        .select_related("source", "made", "checkpoint__job")
        .first()
    )
    if found is None:
        raise ModelVersionNotFound("There is no such merge or import in this project.")
    return found
