"""CSV, record by record. However long a cell is, no more than one record's limit is held in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from pathlib import Path

from apps.datasets.importers.rows import (
    MAX_CELL_CHARS,
    MAX_COLUMN_NAME,
    MAX_COLUMNS,
    MAX_ROW_CHARS,
    Blank,
    Rejection,
    Row,
    Rows,
    Source,
    SourceError,
)

csv.field_size_limit(MAX_CELL_CHARS)
_SKIP_BLOCK = 1 << 16
_MOST_RESTARTS = 20


class _RecordTooLong(Exception):
    pass


class PhysicalLines:
    """The lines of a text file for csv.reader, one at a time, that counts lines and open quotes.

    A line longer than a record may be is passed over in blocks, and raises _RecordTooLong.
    """

    def __init__(self, path: Path, encoding: str, skip: int = 0) -> None:
        self._binary = path.open("rb")
        codec = "utf-8-sig" if encoding == "utf-8" else encoding
        self._text = io.TextIOWrapper(self._binary, encoding=codec, newline="")
        self.number = 0
        self.record_chars = 0
        self.quotes = 0
        self.ended_in_quotes = False
        for _ in range(skip):
            self._pass_over(self._text.readline(_SKIP_BLOCK))
            self.number += 1

    def close(self) -> None:
        self._text.close()

    @property
    def offset(self) -> int:
        return self._binary.tell()

    def rewind(self) -> None:
        self._text.seek(0)
        self.number = 0

    def start_record(self) -> None:
        self.record_chars = 0
        self.quotes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_CHARS + 1)
        if not line:
            self.ended_in_quotes = self.quotes % 2 == 1
            raise StopIteration
        if self.number == 0:
            line = line.removeprefix("\ufeff")
        self.number += 1
        self.quotes += line.count('"')
        self.record_chars += len(line)
        if len(line) > MAX_ROW_CHARS and not line.endswith(("\n", "\r")):
            self._pass_over(line)
            raise _RecordTooLong
        if self.record_chars > MAX_ROW_CHARS:
            raise _RecordTooLong
        return line

    def _pass_over(self, line: str) -> None:
        """Read to the end of the physical line that `line` begins, and keep nothing but its quotes' count."""
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(_SKIP_BLOCK)
            self.quotes += line.count('"')

    def skip_rest_of_record(self) -> None:
        """Go on until the quote that is open is closed, or to the end of the file."""
        while self.quotes % 2 == 1:
            line = self._text.readline(_SKIP_BLOCK)
            if not line:
                self.ended_in_quotes = True
                return
            self.quotes += line.count('"')
            self._pass_over(line)
            self.number += 1


def read_csv(path: Path, source: Source) -> Rows:
    """Rows with text values. Rows that are too long, or do not fit the header, are rejected."""
    columns: list[str] = []
    skip = 0
    for _ in range(_MOST_RESTARTS):
        lines = PhysicalLines(path, source.encoding, skip)
        try:
            columns = columns or read_header(lines, source)
            reopened = yield from _records(lines, source, columns)
        finally:
            lines.close()
        if reopened is None:
            return
        skip = reopened
    yield Rejection(
        skip + 1, f"More than {_MOST_RESTARTS} quotation marks are never closed; the rest was not read."
    )


def csv_columns(path: Path, source: Source) -> list[str]:
    """The names of the columns. Raises SourceError for an empty file or an unusable header."""
    lines = PhysicalLines(path, source.encoding)
    try:
        return read_header(lines, source)
    finally:
        lines.close()


def read_header(lines: PhysicalLines, source: Source) -> list[str]:
    reader = csv.reader(lines, delimiter=source.delimiter)
    try:
        header = next((record for record in reader if record), [])
    except (_RecordTooLong, csv.Error):
        raise SourceError(
            f"The first line is longer than {MAX_CELL_CHARS:,} characters. Is this a CSV file?"
        ) from None
    if not header:
        raise SourceError("The file is empty: it has no header and no rows.")
    if len(header) > MAX_COLUMNS:
        raise SourceError(f"The file has {len(header):,} columns; at most {MAX_COLUMNS} can be imported.")
    if not source.header:
        lines.rewind()
        return [f"column_{number}" for number in range(1, len(header) + 1)]
    return distinct_names(header)


def distinct_names(header: list[str]) -> list[str]:
    """Names for columns: without blanks around them, none empty, none twice."""
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = cell.strip().replace("\x00", "")[:MAX_COLUMN_NAME] or f"column_{number}"
        candidate, again = name, 2
        while candidate in names:
            candidate, again = f"{name}_{again}", again + 1
        names.append(candidate)
    return names


def _records(
    lines: PhysicalLines, source: Source, columns: list[str]
) -> Generator[Row | Rejection | Blank, None, int | None]:
    """Yields rows; returns the line after which to begin again, None when the file is done."""
    reader = csv.reader(lines, delimiter=source.delimiter)
    while True:
        lines.start_record()
        first_line = lines.number + 1
        try:
            record = next(reader)
        except StopIteration:
            return None
        except (_RecordTooLong, csv.Error) as error:
            lines.skip_rest_of_record()
            if lines.ended_in_quotes:
                yield _unclosed(first_line, lines)
                return first_line
            yield Rejection(first_line, _too_long(error), lines.offset)
            continue
        if lines.ended_in_quotes:
            yield _unclosed(first_line, lines)
            return first_line if lines.number > first_line else None
        if not record:
            yield Blank(first_line, lines.offset)
            continue
        if len(record) != len(columns):
            yield Rejection(first_line, _wrong_count(len(record), len(columns)), lines.offset)
            continue
        yield Row(first_line, dict(zip(columns, record, strict=True)), lines.offset)


def _unclosed(line: int, lines: PhysicalLines) -> Rejection:
    return Rejection(line, "A quotation mark opens in this row and is never closed.", lines.offset)


def _too_long(error: Exception) -> str:
    if isinstance(error, csv.Error) and "field larger" in str(error):
        return f"A cell is longer than {MAX_CELL_CHARS:,} characters."
    if isinstance(error, _RecordTooLong):
        return f"The row is longer than {MAX_ROW_CHARS:,} characters; a cell may have {MAX_CELL_CHARS:,}."
    return f"The row is not valid CSV: {error}."


def _wrong_count(found: int, expected: int) -> str:
    cells = "cell" if found == 1 else "cells"
    names = "column" if expected == 1 else "columns"
    return f"The row has {found} {cells}, but the file has {expected} {names}."
