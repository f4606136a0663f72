"""The rows of the form builder: added, moved, taken away, and made into a form. It works without a script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.text import slugify

from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import MOST_FIELDS, FormField, Kind
from apps.feedback.queues.forms import PREFIX, vote_row

_COMMENT = {"key": "comment", "label": "Comment", "kind": Kind.COMMENT}
#: name → (what it is called, the queue's kind, its rows).
PRESETS: Mapping[str, tuple[str, str, list[dict[str, Any]]]] = {
    "thumb": (
        "Thumb and reason",
        AnnotationQueue.Kind.SINGLE,
        [
            {"key": "thumb", "label": "Is this a good answer?", "kind": Kind.THUMB, "required": True},
            {
                "key": "reason",
                "label": "What is wrong with it?",
                "kind": Kind.CATEGORIES,
                "options": "Wrong\nIncomplete\nUnclear\nWrong tone\nUnsafe",
                "multiple": True,
            },
            _COMMENT,
        ],
    ),
    "quality": (
        "Quality, 1 to 5",
        AnnotationQueue.Kind.SINGLE,
        [
            {"key": "quality", "label": "How good is this answer?", "kind": Kind.SCALE, "required": True},
            _COMMENT,
        ],
    ),
    "correction": (
        "Correct the answer",
        AnnotationQueue.Kind.SINGLE,
        [
            {"key": "thumb", "label": "Can it stay as it is?", "kind": Kind.THUMB, "required": True},
            {"key": "correction", "label": "A better answer", "kind": Kind.CORRECTION},
        ],
    ),
    "pair": ("A or B", AnnotationQueue.Kind.PAIR, [vote_row(), _COMMENT]),
}
_ACT = re.compile(r"^(up|down|remove)-(\d{1,2})$")
_TEXTS = ("key", "label", "kind", "options", "min", "max", "help", "evaluator")
_FLAGS = ("required", "multiple")


def rows_of_form(fields: Iterable[FormField]) -> list[dict[str, Any]]:
    """The rows of a form that there is."""
    return [field.as_json() | {"options": "\n".join(field.options)} for field in fields]


def rows_sent(post: QueryDict) -> list[dict[str, Any]]:
    """The rows as they were typed, right or wrong."""
    text = post.get(f"{PREFIX}-TOTAL_FORMS", "0")
    total = min(int(text), MOST_FIELDS) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return [
        {name: post.get(f"{PREFIX}-{place}-{name}", "") for name in _TEXTS}
        | {name: bool(post.get(f"{PREFIX}-{place}-{name}")) for name in _FLAGS}
        for place in range(total)
    ]


def rows_changed(rows: list[dict[str, Any]], act: str) -> list[dict[str, Any]]:
    """After a button of the builder: "add", "up-2", "down-2", "remove-2"."""
    if act == "add":
        return [*rows, {"kind": Kind.THUMB}] if len(rows) < MOST_FIELDS else rows
    found = _ACT.match(act)
    if found is None or int(found[2]) >= len(rows):
        return rows
    verb, place, rows = found[1], int(found[2]), list(rows)
    row = rows.pop(place)
    if verb != "remove":
        rows.insert(max(0, place - 1) if verb == "up" else place + 1, row)
    return rows


def form_of_rows(cleaned: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The form that the rows make. A new field gets its key from its question."""
    taken = {row["key"] for row in cleaned if row.get("key")}
    form = []
    for row in cleaned:
        kind = row["kind"]
        key = row.get("key") or _key(row["label"], taken)
        taken.add(key)
        field: dict[str, Any] = {
            "key": key,
            "label": row["label"],
            "kind": str(kind),
            "required": bool(row.get("required")),
            "help": row.get("help") or "",
            "evaluator": row.get("evaluator") or "",
        }
        if kind == Kind.CATEGORIES:
            field["options"] = [line.strip() for line in row.get("options", "").splitlines() if line.strip()]
            field["multiple"] = bool(row.get("multiple"))
        if kind in (Kind.SCALE, Kind.NUMBER):
            field |= {name: row[name] for name in ("min", "max") if row.get(name) is not None}
        form.append(field)
    return form


def _key(label: str, taken: set[str]) -> str:
    base = re.sub(r"^[^a-z]+", "", slugify(label))[:32].strip("-_") or "field"
    key, number = base, 2
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    return key
