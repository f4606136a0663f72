"""What spans are looked for by, and how that stands in an address."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.utils.datastructures import MultiValueDict

MAX_CHARS = 200
MOST_CHOSEN = 200
#: What an application or a run did; judges' calls are shown on request only.
NOT_JUDGES = ""
ALL_KINDS = "all"


@dataclass(frozen=True, slots=True)
class SpanFilter:
    """Everything has to hold; "" and None ask for nothing.

    `text` is words as `websearch_to_tsquery` reads them, in messages and output. `version` is a number of
    `prompt`, a slug; `model` the name as the span has it. `error` is "any", "none", or a kind of error.
    `metric` is a score that the span must have, from `low` to `high` where they are given, of `score_source`.
    `since` and `until` bound when the span began. `kind` "" leaves out judges, "all" takes in everything.
    `spans` are the only ones that may pass, up to MOST_CHOSEN.
    """

    text: str = ""
    prompt: str = ""
    version: int | None = None
    model: str = ""
    session: str = ""
    user: str = ""
    source: str = ""
    kind: str = NOT_JUDGES
    error: str = ""
    tag: str = ""
    external_id: str = ""
    metric: str = ""
    score_source: str = ""
    low: float | None = None
    high: float | None = None
    spans: tuple[UUID, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def as_query(self) -> dict[str, str]:
        """The parameters of an address that ask for the same."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _written(value) for name, value in found.items() if value not in ("", None, ())}

    def __bool__(self) -> bool:
        return bool(self.as_query())

    @property
    def query_string(self) -> str:
        return urlencode(self.as_query())


def span_filter_read(query: Mapping[str, Any]) -> SpanFilter:
    """The filter that a query string (`request.GET`) asks for; what cannot be read asks for nothing."""
    texts = {field.name: _text(query.get(field.name)) for field in fields(SpanFilter) if field.default == ""}
    return SpanFilter(
        **texts,
        spans=_ids(query),
        version=_whole(query.get("version")),
        low=_number(query.get("low")),
        high=_number(query.get("high")),
        since=_moment(query.get("since")),
        until=_moment(query.get("until"), at_end=True),
    )


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _ids(query: Mapping[str, Any]) -> tuple[UUID, ...]:
    """From ?spans=id&spans=id, as a form sends them, or ?spans=id,id."""
    sent = query.getlist("spans") if isinstance(query, MultiValueDict) else [query.get("spans") or ""]
    found = []
    for text in ",".join(map(str, sent)).split(",")[:MOST_CHOSEN]:
        with suppress(ValueError):
            found.append(UUID(text))
    return tuple(dict.fromkeys(found))


def _text(value: Any) -> str:
    text = str(value or "").replace("\x00", "")[:MAX_CHARS].strip()
    return text.encode(errors="replace").decode()


def _whole(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(value: Any) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(value: Any, *, at_end: bool = False) -> datetime | None:
    """A date is its beginning, or with `at_end` its last moment; without a time zone it is UTC."""
    text = str(value or "").strip()
    try:
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
            return day + timedelta(days=1, microseconds=-1) if at_end else day
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
