"""Examples that come from elsewhere in the product, published at once as a version of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import new_id
from apps.datasets.errors import DatasetArchived
from apps.datasets.importers.mapping import MAX_KEY, MappedRow, mapped_row
from apps.datasets.importers.values import BadValue, canonical
from apps.datasets.models import Dataset, DatasetVersion, Example
from apps.datasets.services.publishing import publish_staged, stage_rows, unstage

#: What one request publishes; more is a file to import.
MOST_ADDED = 10_000
#: The metadata that tells two origins of the same key apart.
ORIGIN = "from_dataset"


@dataclass(frozen=True)
class NewExample:
    """An example as it is in another dataset; `metadata[ORIGIN]` names that one."""

    key: str
    inputs: dict[str, Any]
    reference: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True)
class Added:
    """What adding came to. `version` is None where every example was there already."""

    version: DatasetVersion | None
    added: int
    changed: int
    already: int


def examples_add(
    *,
    dataset: Dataset,
    by: Actor,
    examples: Sequence[NewExample],
    note: str,
    columns: Sequence[str] = (),
    renew: bool = False,
) -> Added:
    """Publish `examples` as the dataset's next version; `columns` gives the order of their inputs.

    An example whose key is there with the same inputs is there already, and stays as it is. One that was
    added from the same origin and has other inputs now takes the place of its older state. A key that some
    other example has is told apart by its origin. With `renew`, one that is there takes the new reference,
    where there is one. Raises DatasetArchived, and InvalidInput for too many.
    """
    if len(examples) > MOST_ADDED:
        raise InvalidInput(f"At most {MOST_ADDED:,} examples are added at once. Narrow them down first.")
    with transaction.atomic():
        locked = Dataset.objects.select_for_update(no_key=True, of=("self",)).get(pk=dataset.pk)
        if locked.archived_at is not None:
            raise DatasetArchived(f"The dataset {locked.name} is archived. Restore it first.")
        rows, already = _new_rows(locked, examples, renew)
        if not rows:
            return Added(None, 0, 0, already)
        batch = new_id()
        stage_rows(batch, 0, rows)
        published = publish_staged(
            dataset=locked,
            by=by,
            batch=batch,
            replace=False,
            note=note,
            columns=_columns(examples, columns),
        )
        unstage(batch)
        if published.version:
            after = {"number": published.version.number, "added": published.added, "note": note}
            audit(by, "dataset_version.create", published.version, project=dataset.project, after=after)
    return Added(published.version, published.added, published.changed, already)


def _new_rows(dataset: Dataset, examples: Sequence[NewExample], renew: bool) -> tuple[list[MappedRow], int]:
    """The examples to stage, each key once, and how many are there already."""
    keys = {key for example in examples for key in (example.key, _told_apart(example))}
    current = {
        row.key: row
        for row in Example.objects.filter(dataset=dataset, valid_to=None, key__in=keys).defer("search")
    }
    taken: dict[str, NewExample] = {}
    for example in examples:
        key = example.key
        if _is_another(example, current.get(key), taken.get(key)):
            key = _told_apart(example)
        if key in taken or (key in current and _is_there(example, current[key], renew)):
            continue
        taken[key] = example
    rows = [_mapped(line, key, example) for line, (key, example) in enumerate(taken.items(), start=1)]
    return rows, len(examples) - len(rows)


def _is_another(example: NewExample, current: Example | None, taken: NewExample | None) -> bool:
    """Whether the key belongs to some other example, of another origin."""
    if current is not None:
        return not _same(example, current) and current.metadata.get(ORIGIN) != example.metadata.get(ORIGIN)
    return taken is not None and taken.metadata.get(ORIGIN) != example.metadata.get(ORIGIN)


def _is_there(example: NewExample, current: Example, renew: bool) -> bool:
    newer = renew and example.reference is not None and example.reference != current.reference
    return _same(example, current) and not newer


def _same(example: NewExample, current: Example) -> bool:
    return canonical(example.inputs) == canonical(current.inputs)


def _told_apart(example: NewExample) -> str:
    """The key with its origin's name; one too long for that gives way to a digest, never to another's key."""
    origin = f" ({example.metadata.get(ORIGIN, 'elsewhere')})"[: MAX_KEY // 2]
    if len(example.key) + len(origin) <= MAX_KEY:
        return f"{example.key}{origin}"
    digest = f"~{hashlib.sha256(example.key.encode()).hexdigest()[:12]}"
    return f"{example.key[: MAX_KEY - len(origin) - len(digest)]}{digest}{origin}"


def _mapped(line: int, key: str, example: NewExample) -> MappedRow:
    try:
        return mapped_row(line, example.inputs, example.reference, example.metadata, example.split, key)
    except BadValue as error:
        raise InvalidInput(f"The example {key!r} cannot be kept: a value {error}.") from None


def _columns(examples: Sequence[NewExample], order: Sequence[str]) -> dict[str, Any]:
    inputs = {name for example in examples for name in example.inputs}
    known = [name for name in order if name in inputs]
    return {
        "inputs": [*known, *sorted(inputs - set(known))],
        "metadata": list(dict.fromkeys(name for example in examples for name in example.metadata)),
        "splits": list(dict.fromkeys(example.split for example in examples if example.split)),
        "reference": "",
    }
