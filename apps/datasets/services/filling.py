"""A dataset whose whole content is made elsewhere in the product, published as one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import new_id
from apps.datasets.errors import DatasetArchived
from apps.datasets.importers.mapping import MappedRow, mapped_row
from apps.datasets.importers.values import BadValue
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.services.adding import NewExample
from apps.datasets.services.publishing import publish_staged, stage_rows, unstage

_AT_A_TIME = 1_000


def dataset_fill(
    *, dataset: Dataset, by: Actor, examples: Iterable[NewExample], note: str, columns: dict[str, Any]
) -> DatasetVersion | None:
    """Publish `examples`, whose keys are distinct, as all that the dataset's next version holds.

    They are read and written in batches. Where nothing would change, no version is made, and the newest one
    is returned: None for a dataset that is and stays empty. Raises DatasetArchived, InvalidInput.
    """
    with transaction.atomic():
        locked = Dataset.objects.select_for_update(no_key=True, of=("self",)).get(pk=dataset.pk)
        if locked.archived_at is not None:
            raise DatasetArchived(f"The dataset {locked.name} is archived. Restore it first.")
        batch, lines = new_id(), count(1)
        for part in _batches(examples):
            stage_rows(batch, 0, [_mapped(next(lines), example) for example in part])
        published = publish_staged(
            dataset=locked, by=by, batch=batch, replace=True, note=note, columns=columns
        )
        unstage(batch)
        if published.version is None:
            return locked.versions.order_by("-number").first()
        after = {"number": published.version.number, "added": published.added, "note": note}
        audit(by, "dataset_version.create", published.version, project=dataset.project, after=after)
        return published.version


def _batches(examples: Iterable[NewExample]) -> Iterator[list[NewExample]]:
    found = iter(examples)
    while part := list(islice(found, _AT_A_TIME)):
        yield part


def _mapped(line: int, example: NewExample) -> MappedRow:
    try:
        return mapped_row(
            line, example.inputs, example.reference, example.metadata, example.split, example.key
        )
    except BadValue as error:
        raise InvalidInput(f"The example {example.key!r} cannot be kept: a value {error}.") from None
