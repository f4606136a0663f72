"""Reading a file into the staging table, in batches that each commit with their progress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from apps.datasets.importers.mapping import MappedRow, Mapper, Mapping
from apps.datasets.importers.reading import read_rows
from apps.datasets.importers.rows import Blank, Rejection, Row, Source
from apps.datasets.importers.values import BadValue
from apps.datasets.models import DatasetImport, ImportRejection
from apps.datasets.services.import_lease import hold
from apps.datasets.services.publishing import stage_rows, unstage

_BATCH_ROWS = 2_000
_BATCH_CHARS = 4_000_000
#: More are counted, not kept.
MOST_REJECTIONS_KEPT = 100_000
_LONGEST_REASON = 500

_REJECT_REPEATS = """
WITH ranked AS (
    SELECT id, line, key, first_value(line) OVER (PARTITION BY key ORDER BY line, id) AS first_line,
           row_number() OVER (PARTITION BY key ORDER BY line, id) AS nth
    FROM datasets_stagedexample WHERE batch = %(batch)s
), repeats AS (
    DELETE FROM datasets_stagedexample s USING ranked r WHERE s.id = r.id AND r.nth > 1
    RETURNING s.line, r.key, r.first_line
)
INSERT INTO datasets_importrejection (batch_id, fence, line, error)
SELECT %(batch)s, %(fence)s, line,
       CASE WHEN %(named)s
            THEN format('The key "%%s" is used by line %%s already.', left(key, 100), first_line)
            ELSE format('The inputs are the same as in line %%s.', first_line) END
FROM repeats
"""


class Batch:
    """What was read since the last commit."""

    def __init__(self) -> None:
        self.rows: list[MappedRow] = []
        self.rejections: list[Rejection] = []
        self.chars = 0
        self.read = 0
        self.blank = 0
        self.offset = 0

    @property
    def full(self) -> bool:
        return self.chars >= _BATCH_CHARS or self.read + self.blank >= _BATCH_ROWS

    def add(self, item: Row | Rejection | Blank, mapper: Mapper) -> None:
        self.offset = item.offset
        if isinstance(item, Blank):
            self.blank += 1
            return
        self.read += 1
        if isinstance(item, Rejection):
            self.rejections.append(item)
            return
        try:
            row = mapper.map(item)
        except BadValue as error:
            self.rejections.append(Rejection(item.line, str(error)))
            return
        self.rows.append(row)
        self.chars += len(row.inputs) + len(row.metadata) + len(row.reference or "")


def stage_file(job: DatasetImport, path: Path) -> dict[str, Any]:
    """Stage all rows of the file; returns the columns met, as DatasetVersion.columns.

    Raises LeaseLost, and SourceError for a file that cannot be read at all.
    """
    unstage(job.pk)
    job.rejections.all().delete()
    source = Source(**job.source)
    mapping = Mapping(**job.mapping)
    mapper = Mapper(mapping, text_only=source.format == "csv")
    for batch in _batches(path, source, mapping, mapper):
        _commit(job, batch)
    with transaction.atomic():
        repeats = _reject_repeats(job, named=bool(mapping.key))
        hold(job, rows_staged=job.rows_staged - repeats, rows_rejected=job.rows_rejected + repeats)
    if job.rows_staged > _BATCH_ROWS:
        _analyze()
    return mapper.columns()


def _batches(path: Path, source: Source, mapping: Mapping, mapper: Mapper) -> Iterator[Batch]:
    batch = Batch()
    for item in read_rows(path, source, mapping.named()):
        batch.add(item, mapper)
        if batch.full:
            yield batch
            batch = Batch()
    if batch.read or batch.blank:
        yield batch


def _commit(job: DatasetImport, batch: Batch) -> None:
    with transaction.atomic():
        kept = max(0, MOST_REJECTIONS_KEPT - job.rows_rejected)
        hold(
            job,
            rows_read=job.rows_read + batch.read,
            bytes_read=min(batch.offset, job.size_bytes),
            rows_staged=job.rows_staged + len(batch.rows),
            rows_rejected=job.rows_rejected + len(batch.rejections),
            rows_blank=job.rows_blank + batch.blank,
        )
        stage_rows(job.pk, job.fence, batch.rows)
        ImportRejection.objects.bulk_create(
            [
                ImportRejection(batch=job, fence=job.fence, line=item.line, error=_reason(item.error))
                for item in batch.rejections[:kept]
            ]
        )


def _reason(text: str) -> str:
    """As the database can keep it: what is quoted from a file may hold anything."""
    clean = text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= _LONGEST_REASON else clean[: _LONGEST_REASON - 1] + "…"


def _reject_repeats(job: DatasetImport, *, named: bool) -> int:
    """Of rows with the same key the first stays; returns how many were rejected."""
    with connection.cursor() as cursor:
        cursor.execute(_REJECT_REPEATS, {"batch": job.pk, "fence": job.fence, "named": named})
        return int(cursor.rowcount)


def _analyze() -> None:
    """Tell the planner about the rows that have just come: publishing joins them."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE datasets_stagedexample (batch, key)")
