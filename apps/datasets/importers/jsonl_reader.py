"""JSON lines: one object a line. A broken line costs that line only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from apps.datasets.importers.rows import (
    MAX_COLUMN_NAME,
    MAX_COLUMNS,
    MAX_ROW_CHARS,
    Blank,
    Rejection,
    Row,
    Rows,
    Source,
)
from apps.datasets.importers.values import BadValue, parse_json

_SKIP_BLOCK = 1 << 16


def read_jsonl(path: Path, source: Source) -> Rows:
    """Rows with JSON values, and blank lines."""
    for line, text, offset in _lines(path, source.encoding):
        if isinstance(text, Exception):
            yield Rejection(line, str(text), offset)
            continue
        if not text.strip():
            yield Blank(line, offset)
            continue
        try:
            yield Row(line, _object(text), offset)
        except BadValue as error:
            yield Rejection(line, f"The line {error}.", offset)


def _object(text: str) -> dict[str, object]:
    value = parse_json(text)
    if not isinstance(value, dict):
        kind = {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(
            type(value), "a number"
        )
        raise BadValue(f'is {kind}; each line must be an object such as {{"question": "…"}}')
    if len(value) > MAX_COLUMNS:
        raise BadValue(f"has {len(value):,} fields; at most {MAX_COLUMNS} can be imported")
    if any(len(name) > MAX_COLUMN_NAME for name in value):
        raise BadValue(f"has a field name longer than {MAX_COLUMN_NAME} characters")
    return value


class _Unreadable(Exception):
    pass


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str | _Unreadable, int]]:
    """(line number, text, bytes read so far). UTF-8 is decoded line by line, so that a bad byte costs its
    line only."""
    with path.open("rb") as binary:
        if encoding == "utf-8":
            yield from _utf8_lines(binary)
            return
        with io.TextIOWrapper(binary, encoding=encoding, newline="\n") as text:
            yield from _text_lines(text, binary)


def _utf8_lines(binary: IO[bytes]) -> Iterator[tuple[int, str | _Unreadable, int]]:
    number = offset = 0
    while raw := binary.readline(MAX_ROW_CHARS + 1):
        number += 1
        start, offset = offset, offset + len(raw)
        if len(raw) > MAX_ROW_CHARS and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = binary.readline(_SKIP_BLOCK)
                offset += len(raw)
            yield number, _too_long(), offset
            continue
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8"), offset
        except UnicodeDecodeError as error:
            where = start + error.start
            yield (
                number,
                _Unreadable(f"The line is not UTF-8: byte {where:,} of the file does not fit."),
                offset,
            )


def _text_lines(text: IO[str], binary: IO[bytes]) -> Iterator[tuple[int, str | _Unreadable, int]]:
    number = 0
    while line := text.readline(MAX_ROW_CHARS + 1):
        number += 1
        if len(line) > MAX_ROW_CHARS and not line.endswith("\n"):
            while line and not line.endswith("\n"):
                line = text.readline(_SKIP_BLOCK)
            yield number, _too_long(), binary.tell()
            continue
        yield number, line.removeprefix("\ufeff") if number == 1 else line, binary.tell()


def _too_long() -> _Unreadable:
    return _Unreadable(f"The line is longer than {MAX_ROW_CHARS:,} bytes.")
