"""CSV that a spreadsheet may open: no cell runs as a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

#: What makes Excel, LibreOffice or Google Sheets read a cell as a formula; OWASP, "CSV injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def defused(cell: Any) -> str:
    """The cell's text, with ' before it where a spreadsheet would run it as a formula. Numbers stay."""
    text = "" if cell is None else str(cell)
    if text.startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The lines of a CSV file (UTF-8 with a mark, so that Excel reads it as such), one at a time."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    yield writer.writerow([defused(cell) for cell in header])
    for row in rows:
        yield writer.writerow([defused(cell) for cell in row])
