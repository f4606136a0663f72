"""Reads an example's reference as the texts it allows."""

from __future__ import annotations

import json
from typing import Any


def reference_texts(reference: Any) -> list[str]:
    """The acceptable answers that a reference stands for.

    Text stands for itself, a number or truth value for its JSON spelling, a list for any one of its entries,
    and an object for its compact JSON. None gives no answer at all.
    """
    if reference is None:
        return []
    if isinstance(reference, list):
        return [as_text(entry) for entry in reference if entry is not None]
    return [as_text(reference)]


def as_text(value: Any) -> str:
    """Text as it is, any other JSON value in its compact JSON spelling."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shorten(text: str, limit: int = 120) -> str:
    """`text` on one line, cut to `limit` characters with an ellipsis."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1] + "…"
