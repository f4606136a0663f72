"""The settings of a kind as JSON schemas, from which forms are drawn: one function for each sort of setting.

Each takes the setting's title and what it does. A setting without a default is left out unless it is given.
"""

from __future__ import annotations

from typing import Any

from .base import JsonSchema

MAX_ENTRIES = 200
MAX_ENTRY = 2000


def flag(title: str, description: str, default: bool) -> JsonSchema:
    """Yes or no."""
    return {"type": "boolean", "title": title, "description": description, "default": default}


def choice(title: str, description: str, choices: dict[str, str]) -> JsonSchema:
    """One of several; the first entry is the default, `x-enum-titles` are the words that a form shows."""
    return {
        "type": "string",
        "title": title,
        "description": description,
        "enum": list(choices),
        "x-enum-titles": list(choices.values()),
        "default": next(iter(choices)),
    }


def whole_number(
    title: str, description: str, *, low: int, high: int, default: int | None = None
) -> JsonSchema:
    """A whole number from `low` to `high`."""
    return _number("integer", title, description, low, high, default)


def number(
    title: str, description: str, *, low: float, high: float, default: float | None = None
) -> JsonSchema:
    """A number from `low` to `high`."""
    return _number("number", title, description, low, high, default)


def line(title: str, description: str, *, longest: int = MAX_ENTRY, default: str | None = "") -> JsonSchema:
    """A short text; with `default` None it must be given."""
    schema: JsonSchema = {
        "type": "string",
        "title": title,
        "description": description,
        "maxLength": longest,
    }
    return schema | ({"minLength": 1} if default is None else {"default": default})


def lines(title: str, description: str, *, most: int = MAX_ENTRIES) -> JsonSchema:
    """Several texts, one a line in a form; none by default."""
    return {
        "type": "array",
        "title": title,
        "description": description,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_ENTRY},
        "maxItems": most,
        "default": [],
    }


def _number(kind: str, title: str, description: str, low: Any, high: Any, default: Any) -> JsonSchema:
    schema: JsonSchema = {
        "type": kind,
        "title": title,
        "description": description,
        "minimum": low,
        "maximum": high,
    }
    return schema if default is None else schema | {"default": default}
