"""What changed between two versions, found by the rows that began or ended in between."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from apps.datasets.models import DatasetVersion, Example
from apps.datasets.selectors import examples_at

KINDS = ("added", "changed", "removed")


@dataclass(frozen=True)
class DiffCounts:
    added: int
    changed: int
    removed: int


@dataclass(frozen=True)
class DiffRow:
    """An example before and after; None where it was not there."""

    key: str
    before: Example | None
    after: Example | None


def diff_rows(old: DatasetVersion, new: DatasetVersion, kind: str) -> QuerySet[Example]:
    """The examples of one kind of change: as they are in `new`, those removed as they were in `old`.

    `old` must be the version with the lower number, of the same dataset.
    """
    before = examples_at(old.dataset_id, old.number)
    after = examples_at(new.dataset_id, new.number)
    same_key = Exists(before.filter(key=OuterRef("key")))
    if kind == "added":
        return after.filter(~same_key, valid_from__gt=old.number)
    if kind == "removed":
        gone = before.filter(valid_to__isnull=False, valid_to__lte=new.number)
        return gone.filter(~Exists(after.filter(key=OuterRef("key"))))
    other_content = before.filter(key=OuterRef("key")).exclude(content_hash=OuterRef("content_hash"))
    return after.filter(Exists(other_content), valid_from__gt=old.number)


def diff_counts(old: DatasetVersion, new: DatasetVersion) -> DiffCounts:
    return DiffCounts(*(diff_rows(old, new, kind).count() for kind in KINDS))


def with_other_side(
    old: DatasetVersion, new: DatasetVersion, kind: str, rows: list[Example]
) -> list[DiffRow]:
    """Page rows of diff_rows() with their other side, in one query."""
    if kind == "added":
        return [DiffRow(row.key, None, row) for row in rows]
    if kind == "removed":
        return [DiffRow(row.key, row, None) for row in rows]
    keys = [row.key for row in rows]
    before = {row.key: row for row in examples_at(old.dataset_id, old.number).filter(key__in=keys)}
    return [DiffRow(row.key, before.get(row.key), row) for row in rows]
