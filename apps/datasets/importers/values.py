"""Which values can be kept: JSON without NUL, half surrogates, NaN or bottomless nesting."""

from __future__ import annotations

import json
from typing import Any

from apps.datasets.importers.rows import MAX_CELL_CHARS, MAX_DEPTH

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_canonical = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


class BadValue(Exception):
    """A value that cannot be kept; the message says why, and follows the column's name."""


class _NotJson(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _NotJson(f"holds {name}, which is not JSON; use null or text instead")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def parse_json(text: str) -> Any:
    """A JSON value. Raises BadValue with the place of the mistake."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth_of_text(text) > MAX_DEPTH:
        raise BadValue(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        return _decode(text)
    except _NotJson as error:
        raise BadValue(str(error)) from None
    except json.JSONDecodeError as error:
        raise BadValue(f"is not valid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise BadValue(f"is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise BadValue("holds a number with too many digits") from None


def _depth_of_text(text: str) -> int:
    """How deep brackets nest, those inside strings left out."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def dump(value: Any) -> str:
    """JSON text that Postgres takes. Raises BadValue where it would not."""
    return _checked(value, _compact)


def canonical(value: Any) -> str:
    """The same with sorted keys: equal values give equal texts."""
    return _checked(value, _canonical)


def _checked(value: Any, encode: Any) -> str:
    try:
        text: str = encode(value)
    except ValueError:
        raise BadValue("holds NaN or infinity, which JSON does not know") from None
    except RecursionError:
        raise BadValue(f"is nested deeper than {MAX_DEPTH} levels") from None
    if "\\u0000" in text and has_nul(value):
        raise BadValue("holds a NUL character (U+0000), which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("holds half of a surrogate pair (broken Unicode), which cannot be stored") from None
    return text


def has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in str(key) or has_nul(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(has_nul(item) for item in value)
    return False


def check_text(text: str) -> None:
    """Raises BadValue for text that cannot be kept."""
    if len(text) > MAX_CELL_CHARS:
        raise BadValue(f"is longer than {MAX_CELL_CHARS:,} characters")
    if "\x00" in text:
        raise BadValue("holds a NUL character (U+0000), which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValue("holds half of a surrogate pair (broken Unicode), which cannot be stored") from None


def check_size(value: Any) -> None:
    """Raises BadValue for a single text that is too long, at any depth."""
    if isinstance(value, str):
        if len(value) > MAX_CELL_CHARS:
            raise BadValue(f"is longer than {MAX_CELL_CHARS:,} characters")
    elif isinstance(value, dict):
        for item in value.values():
            check_size(item)
    elif isinstance(value, list):
        for item in value:
            check_size(item)
