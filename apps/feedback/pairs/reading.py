"""Reading a file of pairs: one JSON list, JSON lines, CSV or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from apps.datasets.importers.reading import preview, read_rows
from apps.datasets.importers.rows import Blank, Rejection, Row, Rows, Source, SourceError
from apps.datasets.importers.sniffing import sniff

#: A JSON list is read as a whole.
LARGEST_LIST = 64 << 20
_LOOKED_AT = 200
_SPACE = " \t\r\n"


class PairFile:
    """A file whose rows can be read, from their first."""

    def __init__(self, path: Path, filename: str) -> None:
        """Raises SourceError for a file that cannot be read at all."""
        self.path = path
        with path.open("rb") as file:
            start = file.read(1 << 12).removeprefix(b"\xef\xbb\xbf").lstrip()
        self.source: Source | None = None
        if start.startswith(b"["):
            if path.stat().st_size > LARGEST_LIST:
                raise SourceError(
                    f"A JSON list may have {LARGEST_LIST >> 20} MB. Turn it into JSON lines: "
                    "jq -c '.[]' file.json > file.jsonl"
                )
        else:
            self.source = sniff(path, filename=filename)

    def rows(self) -> Rows:
        return read_rows(self.path, self.source) if self.source else _list_rows(self.path)

    def columns(self) -> list[str]:
        """Those of the first rows. Raises SourceError for a file without any."""
        if self.source:
            return preview(self.path, self.source).columns
        seen = list(islice(self.rows(), _LOOKED_AT))
        columns = list(dict.fromkeys(name for row in seen if isinstance(row, Row) for name in row.values))
        if not columns:
            first = next((row.error for row in seen if isinstance(row, Rejection)), "The list is empty.")
            raise SourceError(first)
        return columns


def _list_rows(path: Path) -> Iterator[Row | Rejection | Blank]:
    """The objects of one JSON list, each with the line that it begins on.

    Where the JSON itself breaks off, what follows cannot be read, and says so.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"The file is not UTF-8: byte {error.start:,} does not fit.") from None
    decoder = json.JSONDecoder(parse_constant=_refuse)
    place, line = _skip(text, text.index("[") + 1, 1 + text[: text.index("[")].count("\n"))
    while place < len(text) and text[place] != "]":
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            yield Rejection(line, f"The list cannot be read from here on: {_why(error)}.", len(text))
            return
        if isinstance(value, dict):
            yield Row(line, value, end)
        else:
            yield Rejection(line, "Each entry of the list must be an object.", end)
        place, line = _skip(text, end, line + text.count("\n", place, end))
        if text[place : place + 1] == ",":
            place, line = _skip(text, place + 1, line)
        elif text[place : place + 1] != "]":
            yield Rejection(line, "The list cannot be read from here on: a comma is missing.", len(text))
            return


def _skip(text: str, place: int, line: int) -> tuple[int, int]:
    while place < len(text) and text[place] in _SPACE:
        line += text[place] == "\n"
        place += 1
    return place, line


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno:,}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _refuse(name: str) -> None:
    raise ValueError(f"it holds {name}, which is not JSON")
