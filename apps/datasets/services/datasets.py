"""Making, renaming and archiving datasets."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput, NameTaken
from apps.core.models import Project
from apps.core.slugs import clean_slug, unique_slug
from apps.datasets.models import Dataset

#: The page that makes a dataset is where a dataset of this slug would be.
_RESERVED_SLUGS = frozenset({"new"})
_SLUG_CONSTRAINT = "one_dataset_per_slug"


def dataset_create(
    *, project: Project, by: Actor, name: str, slug: str = "", description: str = ""
) -> Dataset:
    """A new, empty dataset. The slug is made from the name where none is given, and never changes.

    Raises NameTaken, InvalidInput.
    """
    name = _clean_name(name)
    with transaction.atomic():
        _lock_names(project)
        chosen = _chosen_slug(project, slug, name)
        try:
            with transaction.atomic():
                dataset = Dataset.objects.create(
                    project=project,
                    slug=chosen,
                    name=name,
                    description=description.strip(),
                    **Dataset.author_fields(by),
                )
        except IntegrityError as error:
            raise _taken(error, project, name, chosen) from None
        audit(by, "dataset.create", dataset, project=project, after={"name": name, "slug": chosen})
    return dataset


def dataset_update(
    *, dataset: Dataset, by: Actor, name: str | None = None, description: str | None = None
) -> Dataset:
    """Rename or describe; the slug stays. Raises NameTaken, InvalidInput."""
    with transaction.atomic():
        locked = (
            Dataset.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=dataset.pk)
        )
        before = {"name": locked.name, "description": locked.description}
        locked.name = locked.name if name is None else _clean_name(name)
        locked.description = locked.description if description is None else description.strip()
        after = {"name": locked.name, "description": locked.description}
        if before == after:
            return locked
        try:
            with transaction.atomic():
                locked.save(update_fields=["name", "description"])
        except IntegrityError as error:
            raise _taken(error, locked.project, locked.name, locked.slug) from None
        audit(by, "dataset.update", locked, project=locked.project, before=before, after=after)
    return locked


def dataset_archive(*, dataset: Dataset, by: Actor, archived: bool = True) -> Dataset:
    """Take a dataset out of the lists, or bring it back. Runs that used it keep it."""
    with transaction.atomic():
        locked = (
            Dataset.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=dataset.pk)
        )
        if (locked.archived_at is not None) == archived:
            return locked
        locked.archived_at = timezone.now() if archived else None
        locked.save(update_fields=["archived_at"])
        action = "dataset.archive" if archived else "dataset.restore"
        audit(by, action, locked, project=locked.project)
    return locked


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 120:
        message = "Give the dataset a name of at most 120 characters."
        raise InvalidInput(message, fields={"name": [message]})
    return name


def _chosen_slug(project: Project, slug: str, name: str) -> str:
    if clean_slug(slug or "any") in _RESERVED_SLUGS:
        message = f"{slug!r} is an address of the product's own. Choose another slug."
        raise InvalidInput(message, fields={"slug": [message]})
    if slug:
        return slug
    made = unique_slug(Dataset.objects.filter(project=project), name)
    return (
        unique_slug(Dataset.objects.filter(project=project), f"{name} dataset")
        if made in _RESERVED_SLUGS
        else made
    )


def _lock_names(project: Project) -> None:
    """One maker of datasets at a time, so that two never make the same slug."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _taken(error: IntegrityError, project: Project, name: str, slug: str) -> NameTaken:
    if _SLUG_CONSTRAINT in str(error):
        message = f"A dataset in {project.name} has the slug {slug!r} already. Choose another."
        return NameTaken(message, fields={"slug": [message]})
    message = f"There is a dataset called {name!r} in {project.name} already. Choose another name."
    return NameTaken(message, fields={"name": [message]})
