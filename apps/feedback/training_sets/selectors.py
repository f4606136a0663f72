"""Reading training sets. Everything starts from the project."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, QuerySet

from apps.core.models import Project
from apps.datasets.models import Dataset, Example
from apps.datasets.selectors import examples_of
from apps.feedback.models import TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.errors import TrainingSetNotFound

Status = TrainingSet.Status


def training_set_list(*, project: Project, method: str = "", q: str = "") -> QuerySet[TrainingSet]:
    """The project's sets, each with `has_erased`: whether it has rows of a person who was erased since."""
    sets = TrainingSet.objects.filter(project=project).select_related("dataset_version__dataset")
    if method in TrainingSet.Method.values:
        sets = sets.filter(method=method)
    if q:
        sets = sets.filter(name__icontains=q[:200].replace("\x00", ""))
    erased = TrainingSource.objects.filter(
        person=TrainingSource.ERASED, training_set=OuterRef("pk"), counted=True
    )
    return sets.annotate(has_erased=Exists(erased))


def training_set_get(*, project: Project, number: int) -> TrainingSet:
    """With `has_erased`. Raises TrainingSetNotFound."""
    found = None
    if 0 < number < 2**31:
        found = training_set_list(project=project).select_related("project").filter(number=number).first()
    if found is None:
        raise TrainingSetNotFound(f"There is no training set {number} in {project.name}.")
    return found


def is_waiting(training_set: TrainingSet) -> bool:
    return training_set.status in (Status.PENDING, Status.RUNNING, Status.FREEZING)


def kept_rows(training_set: TrainingSet) -> QuerySet[TrainingRow]:
    """The rows of a set that is not frozen."""
    return TrainingRow.objects.filter(training_set=training_set, left_out="")


def left_out_rows(training_set: TrainingSet, reason: str = "") -> QuerySet[TrainingRow]:
    rows = TrainingRow.objects.filter(training_set=training_set)
    return rows.filter(left_out=reason) if reason else rows.exclude(left_out="")


def frozen_rows(training_set: TrainingSet, *, split: str = "") -> QuerySet[Example]:
    """The examples of a frozen set, in their order."""
    assert training_set.dataset_version is not None
    rows = examples_of(training_set.dataset_version)
    return rows.filter(split=split) if split else rows


def sources_of(training_set: TrainingSet, keys: Iterable[str]) -> dict[str, list[TrainingSource]]:
    """The judgements behind rows, by the rows' keys; a row of one side of a conflict has those of both."""
    names = {key: base_name(key) for key in keys}
    found: dict[str, list[TrainingSource]] = {name: [] for name in names.values()}
    for source in TrainingSource.objects.filter(
        training_set=training_set, example_key__in=set(names.values())
    ).order_by("example_key", "id"):
        found[source.example_key].append(source)
    return {key: found[name] for key, name in names.items()}


def base_name(key: str) -> str:
    """A row's name without the side of a conflict that it stands for."""
    head, _, side = key.rpartition("/")
    return head if side in ("up", "down", "first", "second") else key


def datasets_for_training(project: Project) -> QuerySet[Dataset]:
    """Datasets whose newest content came from training sets, not archived."""
    made = TrainingSet.objects.filter(project=project, status=Status.COMPLETED)
    return Dataset.objects.filter(
        project=project, archived_at=None, pk__in=made.values("dataset_version__dataset")
    ).order_by("name")


def sets_of_person(project: Project, person: str) -> QuerySet[TrainingSet]:
    """Sets whose rows somebody's judgements counted in, newest first."""
    theirs = TrainingSource.objects.filter(person=person, training_set=OuterRef("pk"), counted=True)
    return (
        TrainingSet.objects.filter(Exists(theirs), project=project)
        .select_related("dataset_version__dataset")
        .order_by("-id")
    )
