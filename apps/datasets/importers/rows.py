"""What every reader gives: rows and rejections; and the limits that all of them hold to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_CELL_CHARS = 1_000_000
MAX_ROW_CHARS = 4_000_000
MAX_COLUMNS = 500
MAX_COLUMN_NAME = 200
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One good row: its line in the file (1 is the first; for Parquet the row's number) and its values."""

    line: int
    values: dict[str, Any]
    #: How far into the file the reader was, in bytes, for progress.
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that cannot be read, and why, in words for the person who made the file."""

    line: int
    error: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Blank:
    """A line with nothing on it: passed over, and counted."""

    line: int
    offset: int = 0


@dataclass(frozen=True)
class Source:
    """How to read a file. `encoding` and `delimiter` are for text; `delimiter` and `header` for CSV."""

    format: str  # csv, jsonl, parquet
    encoding: str = "utf-8"
    delimiter: str = ","
    header: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "header": self.header,
        }


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, as its reader sees them."""

    source: Source
    columns: list[str]
    rows: list[Row]
    rejections: list[Rejection] = field(default_factory=list)


class SourceError(Exception):
    """The whole file cannot be read. `message` says where and why.

    `encodings` are guesses to offer where the text is in another encoding than the one tried.
    """

    def __init__(self, message: str, *, field: str = "file", encodings: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.encodings = encodings or []


Rows = Iterator[Row | Rejection | Blank]
