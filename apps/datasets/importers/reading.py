"""One way in for all formats: `open_source` looks, `read_rows` reads."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from apps.datasets.importers.csv_reader import csv_columns, read_csv
from apps.datasets.importers.jsonl_reader import read_jsonl
from apps.datasets.importers.parquet_reader import parquet_columns, read_parquet
from apps.datasets.importers.rows import (
    MAX_COLUMNS,
    Blank,
    Preview,
    Rejection,
    Row,
    Rows,
    Source,
    SourceError,
)

_ROWS_LOOKED_AT = 1_000
_ROWS_SHOWN = 20


def read_rows(path: Path, source: Source, columns: list[str] | None = None) -> Rows:
    """The file's rows in order. `columns` are those that are wanted; Parquet leaves others unread."""
    if source.format == "parquet":
        return read_parquet(path, columns)
    return read_jsonl(path, source) if source.format == "jsonl" else read_csv(path, source)


def preview(path: Path, source: Source) -> Preview:
    """The columns and the first rows. Raises SourceError for a file without rows."""
    columns = _columns(path, source)
    looked_at = _ROWS_LOOKED_AT if source.format == "jsonl" else _ROWS_SHOWN
    rows: list[Row] = []
    rejections: list[Rejection] = []
    filled = (item for item in read_rows(path, source) if not isinstance(item, Blank))
    for item in islice(filled, looked_at):
        if isinstance(item, Rejection):
            rejections.append(item)
            continue
        if source.format == "jsonl" and len(columns) < MAX_COLUMNS:
            columns += [name for name in item.values if name not in columns]
        if len(rows) < _ROWS_SHOWN:
            rows.append(item)
    if not rows and not rejections:
        raise SourceError(
            "The file has a header, but no rows." if source.format == "csv" else "The file has no rows."
        )
    if not rows and not columns:
        first = rejections[0]
        raise SourceError(f"No row can be read. Line {first.line}: {first.error}")
    return Preview(source, columns[:MAX_COLUMNS], rows, rejections[:_ROWS_SHOWN])


def _columns(path: Path, source: Source) -> list[str]:
    if source.format == "csv":
        return csv_columns(path, source)
    return parquet_columns(path) if source.format == "parquet" else []
