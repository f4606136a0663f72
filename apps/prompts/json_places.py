"""Where in a JSON text something stands: a mistake, or the value at a path."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_BLANK = re.compile(r"[ \t\n\r]*")
_SCAN = json.JSONDecoder()


class JsonPlace(NamedTuple):
    """Line and columns from 1, the end exclusive."""

    line: int
    column: int
    end_column: int


def mistake_in(text: str) -> JsonPlace | None:
    """Where `text` stops to be JSON; None where it is JSON, or no single place is at fault."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        column = max(error.colno, 1)
        return JsonPlace(error.lineno, column, column + 1)
    except (ValueError, RecursionError):
        return None
    return None


def steps_of(path: str) -> list[str | int]:
    """ "[0].function.name" as [0, "function", "name"]."""
    return [int(number) if number else name for number, name in _STEP.findall(path)]


def value_place(text: str, steps: Sequence[str | int]) -> JsonPlace | None:
    """Where the value at `steps` stands in a JSON text, or the last value on the way that there is."""
    try:
        start = _skip(text, 0)
        for step in steps:
            found = _item(text, start, step) if isinstance(step, int) else _member(text, start, step)
            if found is None:
                break
            start = found
        _, end = _SCAN.raw_decode(text, start)
    except (ValueError, IndexError, RecursionError):
        return None
    line_start = text.rfind("\n", 0, start) + 1
    first_line = text[start:end].split("\n", 1)[0]
    column = start - line_start + 1
    return JsonPlace(text.count("\n", 0, start) + 1, column, column + max(len(first_line), 1))


def _skip(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    assert match is not None
    return match.end()


def _member(text: str, start: int, name: str) -> int | None:
    """Where the value called `name` of the object at `start` begins."""
    if text[start] != "{":
        return None
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = _SCAN.raw_decode(text, position)
        value = _skip(text, _skip(text, position) + 1)
        if key == name:
            return value
        position = _next(text, value)
    return None


def _item(text: str, start: int, index: int) -> int | None:
    if text[start] != "[":
        return None
    position = _skip(text, start + 1)
    for _ in range(index):
        if text[position] == "]":
            return None
        position = _next(text, position)
    return None if text[position] == "]" else position


def _next(text: str, value: int) -> int:
    """Behind the value that begins at `value`, and the comma after it."""
    position = _skip(text, _SCAN.raw_decode(text, value)[1])
    return _skip(text, position + 1) if text[position] == "," else position
