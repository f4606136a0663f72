"""Filters that stand in an address, for whoever acts on all that pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from apps.core.errors import InvalidInput


def refuse_misread(query: Mapping[str, Any], *, understood: Collection[str]) -> None:
    """Raise InvalidInput where the query asks for something that was not `understood`.

    A page may show more than was meant, as it shows what it narrows by. Whoever sends all that match
    somewhere, or reads it by a program, would take everything for what was asked.
    """
    misread = {name: value for name, value in query.items() if str(value).strip() and name not in understood}
    if misread:
        text = "This is no filter, or not a value that it can have."
        named = ", ".join(f"{name}={str(value)[:60]}" for name, value in misread.items())
        raise InvalidInput(
            f"The filter cannot be read: {named}.", fields={name[:100]: [text] for name in misread}
        )
