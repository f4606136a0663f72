"""Reading single values of what the page sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.core.errors import InvalidInput


def asked_uuid(values: Mapping[str, Any], name: str) -> UUID:
    """Raises InvalidInput."""
    try:
        return UUID(str(values.get(name)))
    except ValueError:
        text = f"“{name}” must be a UUID. Reload the page."
        raise InvalidInput(text, fields={name: [text]}) from None


def asked_number(values: Mapping[str, Any], name: str) -> int:
    """A whole number from 0. Raises InvalidInput."""
    value = values.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    text = f"“{name}” must be a whole number. Reload the page."
    raise InvalidInput(text, fields={name: [text]})


def asked_text(values: Mapping[str, Any], name: str) -> str:
    """ "" where it is missing or null. Raises InvalidInput for what is no text."""
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text = f"“{name}” must be a text."
    raise InvalidInput(text, fields={name: [text]})


def asked_texts(values: Mapping[str, Any], name: str) -> dict[str, str]:
    """An object of texts; {} where it is missing. Raises InvalidInput."""
    found = values.get(name)
    if found is None:
        return {}
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    text = f"“{name}” must be an object of texts."
    raise InvalidInput(text, fields={name: [text]})
