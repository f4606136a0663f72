"""What a page holds of a workbench, and what of it a draft keeps. The shape is that of store.js."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput, TooLarge
from apps.prompts.messages import MAX_MESSAGES
from apps.prompts.models import PromptVersion
from apps.prompts.typed import MESSAGE_PARTS, PARTS, typed_nothing, typed_of

Document = dict[str, Any]
MAX_BYTES = 2_000_000
MAX_COLUMNS = 4
_MAX_ID, _MAX_NUMBER = 20, 2**31 - 1


def fresh_document(version: PromptVersion | None) -> Document:
    """A workbench on which nothing was done yet: one column with `version`, or with nothing."""
    typed = typed_of(version) if version else typed_nothing()
    column = {"id": "a", "base": version.number if version else None, "typed": typed}
    return {"columns": [column], "selected": "a", "values": {}}


def checked_document(raw: Any) -> Document:
    """`raw` as a document: its known keys have their shape, texts that are missing are empty, and keys that
    are not known here stay as they are.

    Raises InvalidInput that names the first bad place, TooLarge beyond MAX_BYTES.
    """
    document = _mapping(raw, "document")
    columns = document.get("columns")
    if not isinstance(columns, list) or not 1 <= len(columns) <= MAX_COLUMNS:
        raise _bad("columns", f"a list of 1 to {MAX_COLUMNS} columns")
    checked = [_column(column, f"columns[{index}]") for index, column in enumerate(columns)]
    ids = [column["id"] for column in checked]
    if len(set(ids)) < len(ids):
        raise _bad("columns", "columns whose ids differ")
    selected = document.get("selected")
    values = _mapping(document.get("values", {}), "values")
    result = document | {
        "columns": checked,
        "selected": selected if selected in ids else ids[0],
        "values": {name: _text(value, f"values.{name[:60]}") for name, value in values.items()},
    }
    _refuse_too_large(result)
    return result


def _column(raw: Any, place: str) -> Document:
    column = _mapping(raw, place)
    name = column.get("id")
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_ID:
        raise _bad(f"{place}.id", f"a text of 1 to {_MAX_ID} characters")
    base = column.get("base")
    is_number = isinstance(base, int) and not isinstance(base, bool) and 1 <= base <= _MAX_NUMBER
    if base is not None and not is_number:
        raise _bad(f"{place}.base", "the number of a version, or nothing")
    return column | {"id": name, "base": base, "typed": checked_typed(column.get("typed"), f"{place}.typed")}


def checked_typed(raw: Any, place: str = "typed") -> Document:
    """A version as it was typed (`apps.prompts.typed`), all of it text. Raises InvalidInput."""
    typed = _mapping(raw, place)
    messages = typed.get("messages")
    # One more than a version may have: a page can hold it, and saving tells that it is too many.
    if not isinstance(messages, list) or len(messages) > MAX_MESSAGES + 1:
        raise _bad(f"{place}.messages", f"a list of at most {MAX_MESSAGES} messages")
    rows = [_message(row, f"{place}.messages[{index}]") for index, row in enumerate(messages)]
    parts = {name: _text(typed.get(name, ""), f"{place}.{name}") for name in PARTS}
    return typed | {"messages": rows} | parts


def _message(raw: Any, place: str) -> Document:
    row = _mapping(raw, place)
    return row | {name: _text(row.get(name, ""), f"{place}.{name}") for name in MESSAGE_PARTS}


def _mapping(raw: Any, place: str) -> Document:
    if not isinstance(raw, Mapping):
        raise _bad(place, "an object")
    return dict(raw)


def _text(raw: Any, place: str) -> str:
    if not isinstance(raw, str):
        raise _bad(place, "a text")
    return raw


def _refuse_too_large(document: Document) -> None:
    try:
        size = len(json.dumps(document, ensure_ascii=False).encode())
    except RecursionError as error:
        raise InvalidInput("This draft is nested too deeply to be kept.") from error
    if size > MAX_BYTES:
        raise TooLarge(
            f"A draft has at most {MAX_BYTES:,} bytes, and this one {size:,}. "
            "Shorten the messages or the values."
        )


def _bad(place: str, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"The draft cannot be kept: {place} has to be {wanted}.", fields={place: [f"Has to be {wanted}."]}
    )
