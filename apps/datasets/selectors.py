"""Reading datasets. Everything starts from the project."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from apps.core.models import Project
from apps.datasets.errors import (
    DatasetNotFound,
    DatasetVersionNotFound,
    ExampleNotFound,
    ImportNotFound,
)
from apps.datasets.models import (
    Dataset,
    DatasetImport,
    DatasetVersion,
    DraftChange,
    Example,
)
from apps.datasets.search import matching

LONGEST_SEARCH = 200


def dataset_list(*, project: Project, archived: bool = False, q: str = "") -> QuerySet[Dataset]:
    """The project's datasets, each with what is shown of its newest version:
    `latest_number`, `example_count`, `changed_at`.
    """
    newest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    datasets = Dataset.objects.filter(project=project, archived_at__isnull=not archived)
    if q:
        words = q[:LONGEST_SEARCH].replace("\x00", "")
        datasets = datasets.filter(Q(name__icontains=words) | Q(description__icontains=words))
    return datasets.annotate(
        latest_number=Subquery(newest.values("number")[:1]),
        example_count=Subquery(newest.values("example_count")[:1]),
        changed_at=Subquery(newest.values("created_at")[:1]),
    )


def dataset_get(*, project: Project, slug: str) -> Dataset:
    """Raises DatasetNotFound."""
    dataset = Dataset.objects.filter(project=project, slug=slug).first() if "\x00" not in slug else None
    if dataset is None:
        raise DatasetNotFound(f"There is no dataset {slug!r} in the project {project.name}.")
    return dataset


def version_get(*, dataset: Dataset, number: int | None = None) -> DatasetVersion:
    """The version with this number, the newest where `number` is None. Raises DatasetVersionNotFound."""
    versions = dataset.versions.all()
    if number is None:
        version = versions.order_by("-number").first()
        if version is None:
            raise DatasetVersionNotFound(
                f"The dataset {dataset.name} has no version yet. Import a file or add examples first."
            )
        return version
    version = versions.filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise DatasetVersionNotFound(f"The dataset {dataset.name} has no version {number}.")
    return version


def latest_version(dataset: Dataset) -> DatasetVersion | None:
    """The newest version, None while the dataset has none."""
    return dataset.versions.order_by("-number").first()


def examples_of(version: DatasetVersion) -> QuerySet[Example]:
    """The examples that make up a version, in the order of the file they came from."""
    return examples_at(version.dataset_id, version.number).order_by("position", "id")


def examples_at(dataset_id: UUID, number: int) -> QuerySet[Example]:
    """The rows of `dataset_id` that are valid in version `number`, unordered, without the search vector."""
    alive = Q(valid_to__isnull=True) | Q(valid_to__gt=number)
    return Example.objects.filter(alive, dataset_id=dataset_id, valid_from__lte=number).defer("search")


def variable_names(version: DatasetVersion) -> list[str]:
    """The input columns of a version, in the file's order: what a prompt may use as variables."""
    return list(version.columns.get("inputs", []))


def example_search(
    version: DatasetVersion,
    *,
    q: str = "",
    split: str = "",
    metadata: tuple[str, str] | None = None,
) -> QuerySet[Example]:
    """Examples whose inputs or reference hold words that begin with those of `q`, of one split, with one
    metadata value (name, text)."""
    examples = examples_at(version.dataset_id, version.number)
    if q.strip():
        examples = matching(examples, q[:LONGEST_SEARCH])
    if split:
        examples = examples.filter(split=split)
    if metadata and metadata[0]:
        examples = examples.filter(_metadata_is(*metadata))
    return examples.order_by("position", "id")


def _metadata_is(name: str, text: str) -> Q:
    """The value as text, and as the number or truth value it may have been in the file."""
    wanted = Q(metadata__contains={name: text})
    for literal, value in (("true", True), ("false", False), ("null", None)):
        if text == literal:
            wanted |= Q(metadata__contains={name: value})
    try:
        number: Any = int(text) if text.lstrip("-").isdigit() and len(text) < 30 else float(text)
    except ValueError:
        return wanted
    if not math.isfinite(number):
        return wanted
    return wanted | Q(metadata__contains={name: number})


def example_get(*, dataset: Dataset, example_id: UUID) -> Example:
    """A row by its id, in whatever version. Raises ExampleNotFound."""
    example = Example.objects.filter(dataset=dataset, pk=example_id).defer("search").first()
    if example is None:
        raise ExampleNotFound(f"There is no such example in {dataset.name}.")
    return example


def example_current(dataset: Dataset, key: str) -> Example | None:
    """The row of `key` in the newest version, None where there is none."""
    return Example.objects.filter(dataset=dataset, key=key, valid_to__isnull=True).defer("search").first()


def splits_of(version: DatasetVersion) -> list[str]:
    """The names of the splits that the version was published with."""
    return list(version.columns.get("splits", []))


def version_list(dataset: Dataset) -> QuerySet[DatasetVersion]:
    return dataset.versions.order_by("-number")


def draft_changes(dataset: Dataset) -> QuerySet[DraftChange]:
    """The pending edits, oldest first, each with the example it was based on."""
    return (
        DraftChange.objects.filter(draft__dataset=dataset)
        .select_related("base", "draft")
        .defer("base__search")
        .order_by("id")
    )


def draft_change_get(*, dataset: Dataset, key: str) -> DraftChange | None:
    return draft_changes(dataset).filter(key=key).first()


def import_get(*, dataset: Dataset, import_id: UUID) -> DatasetImport:
    """Raises ImportNotFound."""
    found = (
        DatasetImport.objects.filter(dataset=dataset, pk=import_id)
        .select_related("version", "dataset")
        .first()
    )
    if found is None:
        raise ImportNotFound(f"There is no such import into {dataset.name}.")
    return found


def import_list(dataset: Dataset) -> QuerySet[DatasetImport]:
    """The dataset's imports, newest first."""
    return dataset.imports.select_related("version").order_by("-id")


def imports_to_take_up() -> QuerySet[DatasetImport]:
    """Imports whose worker went silent, or whose message was lost; not those that were just sent again."""
    now = timezone.now()
    silent = Q(queued_at__isnull=True) | Q(queued_at__lt=now - timedelta(minutes=1))
    return DatasetImport.objects.filter(
        Q(silent, status=DatasetImport.Status.RUNNING, lease_until__lt=now)
        | Q(
            status=DatasetImport.Status.PENDING,
            queued_at__lt=now - timedelta(minutes=2),
        )
    ).order_by("id")


def left_behind() -> QuerySet[DatasetImport]:
    """Imports that ended, but whose worker died before it removed the file."""
    ended = (DatasetImport.Status.COMPLETED, DatasetImport.Status.FAILED, DatasetImport.Status.CANCELLED)
    just_now = timezone.now() - timedelta(minutes=1)
    return DatasetImport.objects.filter(status__in=ended, finished_at__lt=just_now).exclude(stored_as="")


def forgotten_uploads() -> QuerySet[DatasetImport]:
    """Files that somebody uploaded a day ago and never imported."""
    return DatasetImport.objects.filter(
        status=DatasetImport.Status.UPLOADED,
        created_at__lt=timezone.now() - timedelta(days=1),
    )


def last_position(dataset: Dataset) -> int:
    """The greatest position among the current examples, 0 where there is none."""
    current = Example.objects.filter(dataset=dataset, valid_to__isnull=True)
    return int(current.aggregate(last=Max("position"))["last"] or 0)


def draft_size(dataset: Dataset) -> int:
    """How many edits wait in the draft."""
    return DraftChange.objects.filter(draft__dataset=dataset).count()


def draft_actions(dataset: Dataset, keys: list[str]) -> dict[str, str]:
    """What the draft does with these keys: {key: "upsert" or "delete"}."""
    changes = DraftChange.objects.filter(draft__dataset=dataset, key__in=keys)
    return dict(changes.values_list("key", "action"))


def draft_changes_out_of_date(dataset: Dataset) -> QuerySet[DraftChange]:
    """Pending edits of examples whose newest row is not the one they were based on."""
    newest = Example.objects.filter(dataset=dataset, key=OuterRef("key"), valid_to__isnull=True)
    changes = draft_changes(dataset).annotate(newest_id=Subquery(newest.values("pk")[:1]))
    same = Q(newest_id=F("base_id")) | Q(newest_id__isnull=True, base_id__isnull=True)
    return changes.exclude(same)
