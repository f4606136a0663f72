"""Parquet, in small batches, so that a small file that unpacks to a huge one does not fill the memory."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from pathlib import Path
from typing import Any

from apps.datasets.importers.rows import (
    MAX_COLUMN_NAME,
    MAX_COLUMNS,
    Rejection,
    Row,
    Rows,
    SourceError,
)
from apps.datasets.importers.values import BadValue

_BATCH_ROWS = 64
_BATCH_CELLS = 512
#: The most a column of one row group may unpack to. Pages are read one after the other; this stops bombs.
_MOST_UNPACKED = 2 << 30
_MOST_TIMES_SMALLER = 200
#: What a batch's rows may come to as Python values; wider batches are turned into values row by row.
_LIGHT_BATCH = 32 << 20


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(
            path,
            buffer_size=1 << 18,
            pre_buffer=False,
            thrift_string_size_limit=16_000_000,
            thrift_container_size_limit=1_000_000,
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"The file is not a whole Parquet file: {_first_line(error)}") from None
    _refuse_bombs(file, path)
    return file


def _refuse_bombs(file: Any, path: Path) -> None:
    names = file.schema_arrow.names
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"The file has {len(names):,} columns; at most {MAX_COLUMNS} can be imported.")
    if any(len(name) > MAX_COLUMN_NAME for name in names):
        raise SourceError(f"A column's name is longer than {MAX_COLUMN_NAME} characters.")
    size = max(path.stat().st_size, 1)
    for number in range(file.metadata.num_row_groups):
        unpacked = file.metadata.row_group(number).total_byte_size
        if unpacked > _MOST_UNPACKED or (unpacked > 64 << 20 and unpacked / size > _MOST_TIMES_SMALLER):
            raise SourceError(
                f"Row group {number + 1} unpacks to {unpacked >> 20:,} MB, more than can be read at a time. "
                "Write the file again with smaller row groups."
            )


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns. Raises SourceError for a broken file."""
    names: list[str] = list(_open(path).schema_arrow.names)
    if len(set(names)) != len(names):
        raise SourceError("Two columns of the file have the same name. Rename one of them.")
    return names


def read_parquet(path: Path, columns: list[str] | None = None) -> Rows:
    """Rows with JSON values: dates and times as ISO 8601 text, decimals as numbers, structs as objects."""
    import pyarrow as pa

    file = _open(path)
    wanted = len(columns) if columns else len(file.schema_arrow.names)
    batch_rows = max(1, min(_BATCH_ROWS, _BATCH_CELLS // wanted))
    total = max(file.metadata.num_rows, 1)
    size = path.stat().st_size
    number = 0
    try:
        for batch in file.iter_batches(batch_size=batch_rows, columns=columns, use_threads=False):
            step = batch_rows if batch.nbytes <= _LIGHT_BATCH else 1
            for start in range(0, batch.num_rows, step):
                for values in batch.slice(start, step).to_pylist():
                    number += 1
                    yield _row(number, values, size * number // total)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield Rejection(number + 1, f"The file is damaged from this row on: {_first_line(error)}", size)


def _row(number: int, values: dict[str, Any], offset: int) -> Row | Rejection:
    converted: dict[str, Any] = {}
    for name, value in values.items():
        try:
            converted[name] = value if isinstance(value, str) else to_json(value)
        except BadValue as error:
            return Rejection(number, f"Column {name!r} {error}.", offset)
    return Row(number, converted, offset)


def to_json(value: Any) -> Any:
    """A Parquet value as a JSON value. Raises BadValue for bytes that are not text, NaN, and the like."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValue("holds NaN or infinity, which JSON does not know")
        return value
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return _number(value)
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return _list_or_map(list(value))
    return str(value)


def _list_or_map(items: list[Any]) -> Any:
    """Arrow gives a map as a list of pairs."""
    if items and all(isinstance(item, tuple) and len(item) == 2 for item in items):
        return {str(key): to_json(item) for key, item in items}
    return [to_json(item) for item in items]


def _number(value: decimal.Decimal) -> Any:
    if not value.is_finite():
        raise BadValue("holds NaN or infinity, which JSON does not know")
    if value == value.to_integral_value():
        return int(value)
    as_float = float(value)
    return as_float if decimal.Decimal(repr(as_float)) == value else str(value)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadValue("holds bytes that are not text") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
