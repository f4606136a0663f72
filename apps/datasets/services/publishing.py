"""Staged rows become a version, in one transaction under the dataset's row lock, and nothing is copied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.actor import Actor
from apps.core.models import new_id
from apps.datasets.importers.mapping import MappedRow
from apps.datasets.models import Dataset, DatasetVersion, StagedExample

#: Positions are this far apart, so that a later replacement can put new examples between old ones.
POSITION_STEP = 1 << 20

_COPY = """
COPY datasets_stagedexample (
    batch, fence, line, removed, example_id, key,
    inputs, reference, metadata, split, content_hash, search_text
)
FROM STDIN
"""
_COUNT = """
SELECT count(*) FILTER (WHERE c.id IS NULL AND NOT s.removed),
       count(*) FILTER (WHERE c.id IS NOT NULL AND NOT s.removed AND c.content_hash <> s.content_hash),
       count(*) FILTER (WHERE c.id IS NOT NULL AND NOT s.removed AND c.content_hash = s.content_hash),
       count(*) FILTER (WHERE c.id IS NOT NULL AND s.removed)
FROM datasets_stagedexample s
LEFT JOIN datasets_example c ON c.dataset_id = %(dataset)s AND c.key = s.key AND c.valid_to IS NULL
WHERE s.batch = %(batch)s
"""
_CURRENT = """
SELECT count(*), coalesce(min(position), 0), coalesce(max(position), 0)
FROM datasets_example WHERE dataset_id = %(dataset)s AND valid_to IS NULL
"""
_CLOSE = """
UPDATE datasets_example e SET valid_to = %(number)s
FROM datasets_stagedexample s
WHERE s.batch = %(batch)s AND e.dataset_id = %(dataset)s AND e.key = s.key AND e.valid_to IS NULL
  AND (s.removed OR e.content_hash <> s.content_hash)
"""
_CLOSE_MISSING = """
UPDATE datasets_example e SET valid_to = %(number)s
WHERE e.dataset_id = %(dataset)s AND e.valid_to IS NULL
  AND NOT EXISTS (SELECT 1 FROM datasets_stagedexample s WHERE s.batch = %(batch)s AND s.key = e.key)
"""
# An example keeps its place as long as it lives. A new one comes after all others in a merge; in a
# replacement it comes right after the example that precedes it in the file.
_INSERT = """
INSERT INTO datasets_example (
    id, created_at, dataset_id, key, valid_from, position,
    inputs, reference, metadata, split, content_hash, search
)
SELECT example_id, now(), %(dataset)s, key, %(number)s,
       coalesce(
           old_position,
           CASE WHEN %(in_place)s AND anchor IS NOT NULL THEN anchor + nth - 1
                WHEN %(in_place)s THEN %(first)s - %(step)s + nth
                ELSE %(last)s + nth_new * %(step)s END),
       inputs, reference, metadata, split, content_hash, strip(to_tsvector('simple', search_text))
FROM (
    SELECT g.*,
           first_value(old_position) OVER (PARTITION BY old_before ORDER BY line) AS anchor,
           row_number() OVER (PARTITION BY old_before ORDER BY line) AS nth,
           row_number() OVER (PARTITION BY old_position IS NULL ORDER BY line) AS nth_new
    FROM (
        SELECT s.*, c.id IS NOT NULL AS stays, coalesce(c.position, o.position) AS old_position,
               count(coalesce(c.position, o.position)) OVER (ORDER BY s.line) AS old_before
        FROM datasets_stagedexample s
        LEFT JOIN datasets_example c ON c.dataset_id = %(dataset)s AND c.key = s.key AND c.valid_to IS NULL
        LEFT JOIN datasets_example o
            ON o.dataset_id = %(dataset)s AND o.key = s.key AND o.valid_to = %(number)s
        WHERE s.batch = %(batch)s AND NOT s.removed
    ) g
) placed
WHERE NOT stays
ORDER BY line
"""


@dataclass(frozen=True)
class Published:
    """What publishing came to; `version` is None when nothing changed, and then there is no new version."""

    version: DatasetVersion | None
    added: int
    changed: int
    removed: int
    unchanged: int


def stage_rows(batch: UUID, fence: int, rows: Iterable[MappedRow]) -> None:
    """Write rows to the staging table by COPY."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(
                (
                    batch,
                    fence,
                    row.line,
                    False,
                    new_id(),
                    row.key,
                    row.inputs,
                    row.reference,
                    row.metadata,
                    row.split,
                    row.content_hash,
                    row.search_text,
                )
            )


def stage_removals(batch: UUID, keys: Iterable[tuple[int, str]]) -> None:
    """Stage the removal of examples, given as (line, key)."""
    StagedExample.objects.bulk_create(
        [
            StagedExample(batch=batch, line=line, key=key, removed=True, inputs={}, content_hash="")
            for line, key in keys
        ],
        batch_size=1_000,
    )


def unstage(batch: UUID, *, fence_below: int | None = None) -> None:
    """Throw staged rows away."""
    staged = StagedExample.objects.filter(batch=batch)
    (staged if fence_below is None else staged.filter(fence__lt=fence_below)).delete()


def tidy_search_index() -> None:
    """Sort what a large publication left unsorted in the search index (autovacuum would do it later)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('example_search')")


def publish_staged(
    *, dataset: Dataset, by: Actor, batch: UUID, replace: bool, note: str, columns: dict[str, Any]
) -> Published:
    """Make the staged rows of `batch`, whose keys are distinct, the next version of the dataset.

    The caller holds the dataset's row lock, in a transaction. With `replace`, examples that are not staged
    are removed. Where nothing would change, no version is made.
    """
    latest = dataset.versions.order_by("-number").first()
    number = latest.number + 1 if latest else 1
    parameters: dict[str, Any] = {
        "dataset": dataset.pk,
        "batch": batch,
        "number": number,
        "step": POSITION_STEP,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, parameters)
        added, changed, unchanged, removed = cursor.fetchone()
        cursor.execute(_CURRENT, parameters)
        before, first, last = cursor.fetchone()
        if replace:
            removed = before - changed - unchanged
        if not (added or changed or removed):
            return Published(None, 0, 0, 0, unchanged)
        parameters |= {"first": first, "last": last, "in_place": replace and before > 0}
        if before:
            cursor.execute(_CLOSE, parameters)
            if replace:
                cursor.execute(_CLOSE_MISSING, parameters)
        cursor.execute(_INSERT, parameters)
    if not replace:
        unchanged = before - changed - removed
    version = dataset.versions.create(
        number=number,
        note=note,
        example_count=before + added - removed,
        added=added,
        changed=changed,
        removed=removed,
        unchanged=unchanged,
        columns=columns if replace or latest is None else joined_columns(latest.columns, columns),
        **DatasetVersion.author_fields(by),
    )
    return Published(version, added, changed, removed, unchanged)


def joined_columns(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The columns of both, the old first."""
    lists = {part: list(dict.fromkeys([*old.get(part, []), *new.get(part, [])])) for part in _LISTS}
    return {**lists, "reference": new.get("reference") or old.get("reference", "")}


_LISTS = ("inputs", "metadata", "splits")
