"""Keyset pages for lists on pages: as quick on the last page as on the first."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

_LEAST = 1
_MOST = 200


@dataclass(frozen=True)
class Page:
    """One page of rows, with the addresses of its neighbours (None where there is none)."""

    rows: list[Any]
    next_url: str | None
    previous_url: str | None
    size: int


def keyset(queryset: QuerySet[Any], request: HttpRequest, *, order: str = "-id", size: int = 50) -> Page:
    """The page of `queryset` that the query string (`after`, `before`, `size`) asks for.

    `order` is one field, not null, with "-" for descending; ties are broken by the primary key.
    A cursor that cannot be read is taken as the first page.
    """
    size = _size(request.GET.get("size"), size)
    field, descending = order.lstrip("-"), order.startswith("-")
    after, before = _decode(request.GET.get("after")), _decode(request.GET.get("before"))
    backwards = before is not None
    cursor = before if backwards else after
    down = descending != backwards
    if cursor is not None:
        queryset = _beyond(queryset, field, cursor, down)
    sign = "-" if down else ""
    columns = [f"{sign}{field}"] + ([f"{sign}pk"] if field not in ("id", "pk") else [])
    rows = list(queryset.order_by(*columns)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (backwards or more)
    has_previous = bool(rows) and (more if backwards else after is not None)
    return Page(
        rows=rows,
        next_url=_url(request, "after", rows[-1], field) if has_next else None,
        previous_url=_url(request, "before", rows[0], field) if has_previous else None,
        size=size,
    )


def _beyond(queryset: QuerySet[Any], field: str, cursor: list[Any], down: bool) -> QuerySet[Any]:
    comparison = "lt" if down else "gt"
    value, key = cursor
    try:
        if field in ("id", "pk"):
            return queryset.filter(**{f"pk__{comparison}": key})
        return queryset.filter(
            Q(**{f"{field}__{comparison}": value}) | Q(**{field: value, f"pk__{comparison}": key})
        )
    except (
        ValueError,
        TypeError,
        OverflowError,
        ValidationError,
    ):  # a forged cursor that does not fit the column
        return queryset


def _size(text: str | None, default: int) -> int:
    if not text or len(text) > 6 or not (text.isascii() and text.isdigit()):
        return default
    return min(_MOST, max(_LEAST, int(text)))


def _url(request: HttpRequest, direction: str, row: Model, field: str) -> str:
    query = request.GET.copy()
    query.pop("after", None)
    query.pop("before", None)
    value = getattr(row, "pk" if field in ("id", "pk") else field)
    query[direction] = _encode([value, row.pk])
    return f"?{query.urlencode()}"


def _encode(cursor: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(cursor, default=str).encode()).decode().rstrip("=")


def _decode(text: str | None) -> list[Any] | None:
    if not text or len(text) > 1000:
        return None
    try:
        cursor = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(cursor, list) or len(cursor) != 2 or any(isinstance(v, dict | list) for v in cursor):
        return None
    return cursor if all(_storable(value) for value in cursor) else None


def _storable(value: Any) -> bool:
    """Whether Postgres could hold the value: text without NUL or half a surrogate pair, a finite number."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return not isinstance(value, float) or math.isfinite(value)


def sort_field(request: HttpRequest, allowed: dict[str, str], default: str) -> str:
    """The order a table is asked for by ?sort=name or ?sort=-name; `allowed` maps names to fields."""
    wanted = request.GET.get("sort", default)
    sign = "-" if wanted.startswith("-") else ""
    field = allowed.get(wanted.lstrip("-"))
    if field is None:
        sign, field = ("-" if default.startswith("-") else ""), allowed[default.lstrip("-")]
    return sign + field
