"""Reading the results of one run: filtered, ordered, a page at a time; and everything about one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, FloatField, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from apps.evaluations.errors import ResultNotFound
from apps.evaluations.models import EvalItem, EvalRun, ItemAttempt, ItemScore
from apps.evaluations.raters import rater_names

LONGEST_SEARCH = 200
STATUSES = tuple(str(status) for status in EvalItem.Status)
UNSCORED = "unscored"
_LAST = 1e308  # where rows without a value stand, whichever way they are ordered


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results, in which order; by score: `metric` with `low` ≤ value ≤ `high`, or `missing`.

    `order` is "position", "latency", "cost" or "score" (of `metric`), with "-" for descending.
    """

    q: str = ""
    status: str = ""
    metric: str = ""
    low: float | None = None
    high: float | None = None
    missing: bool = False
    order: str = "position"


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """One page of results; `first` and `last` are cursors of its ends, None where nothing lies beyond."""

    rows: list[EvalItem]
    previous: str | None
    next: str | None


def result_list(run: EvalRun, chosen: ResultFilter) -> QuerySet[EvalItem]:
    """The run's items that pass the filter, each with its example and its scores (one query more for all)."""
    items = run.items.select_related("example").defer("rendered", "tool_calls", "example__search")
    if chosen.status == UNSCORED:
        items = items.filter(Exists(_scores(value=None)))
    elif chosen.status in STATUSES:
        items = items.filter(status=chosen.status)
    words = chosen.q.replace("\x00", "")[:LONGEST_SEARCH].strip()
    if words:
        items = items.filter(
            Q(output__icontains=words) | Q(example_key__icontains=words) | Q(error__icontains=words)
        )
    items = _by_score(items, chosen)
    scores = Prefetch("scores", ItemScore.objects.order_by("id"))
    return _with_sort_key(items, chosen).prefetch_related(scores)


def result_page(run: EvalRun, chosen: ResultFilter, *, after: str, before: str, size: int) -> ResultsPage:
    """The page of `size` results after or before a cursor; a cursor that cannot be read is the beginning.

    A keyset over (sort key, position, repetition): the last page is as quick as the first.
    """
    backwards = bool(before)
    cursor = _read_cursor(before or after)
    items = result_list(run, chosen)
    down = chosen.order.startswith("-")
    if cursor is not None:
        items = items.filter(_beyond(cursor, sort_down=down != backwards, place_down=backwards))
    sort = F("sort_key").desc() if down != backwards else F("sort_key").asc()
    place = ("-position", "-repetition") if backwards else ("position", "repetition")
    ordering = place if chosen.order == "position" else (sort, *place)
    rows = list(items.order_by(*ordering)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (backwards or more)
    has_previous = bool(rows) and (more if backwards else cursor is not None)
    return ResultsPage(
        rows=rows,
        previous=_cursor(rows[0]) if has_previous else None,
        next=_cursor(rows[-1]) if has_next else None,
    )


@dataclass(frozen=True, slots=True)
class Result:
    """Everything about one result. `tries` are those that gave no answer or no score, oldest first."""

    item: EvalItem
    scores: list[ItemScore]
    tries: list[ItemAttempt]
    repetitions: list[EvalItem]
    #: Rater → the name that pages show.
    raters: dict[str, str]


def result_get(run: EvalRun, item_id: UUID) -> Result:
    """Raises ResultNotFound."""
    item = run.items.select_related("example").defer("example__search").filter(pk=item_id).first()
    if item is None:
        raise ResultNotFound(f"{run.name} has no such result.")
    siblings = (
        run.items.filter(example=item.example_id).order_by("repetition").only("id", "repetition", "status")
    )
    scores = list(item.scores.select_related("evaluator_version__evaluator").order_by("id"))
    return Result(
        item=item,
        scores=scores,
        tries=list(item.tries.order_by("id")),
        repetitions=list(siblings) if run.repetitions > 1 else [],
        raters=rater_names(score.rater for score in scores if score.rater),
    )


def result_rows(run: EvalRun, chosen: ResultFilter) -> Iterator[EvalItem]:
    """Every result that passes the filter, in order, in chunks that keep memory bounded."""
    items = result_list(run, chosen)
    sort = ("sort_key",) if not chosen.order.startswith("-") else ("-sort_key",)
    return items.order_by(*sort, "position", "repetition").iterator(chunk_size=500)


def _scores(**conditions: Any) -> QuerySet[ItemScore]:
    return ItemScore.objects.filter(item=OuterRef("pk"), **conditions)


def _by_score(items: QuerySet[EvalItem], chosen: ResultFilter) -> QuerySet[EvalItem]:
    if not chosen.metric:
        return items
    metric = chosen.metric.replace("\x00", "")
    if chosen.missing:
        return items.exclude(Exists(_scores(metric=metric, value__isnull=False)))
    bounds: dict[str, Any] = {}
    if chosen.low is not None:
        bounds["value__gte"] = chosen.low
    if chosen.high is not None:
        bounds["value__lte"] = chosen.high
    return items.filter(Exists(_scores(metric=metric, **bounds))) if bounds else items


def _with_sort_key(items: QuerySet[EvalItem], chosen: ResultFilter) -> QuerySet[EvalItem]:
    """What the rows are ordered by, a number that is never null; the same for all in the dataset's order."""
    down = chosen.order.startswith("-")
    last = Value(-_LAST if down else _LAST, output_field=FloatField())
    field = chosen.order.lstrip("-")
    if field == "score" and chosen.metric:
        value = _scores(metric=chosen.metric.replace("\x00", "")).order_by("id").values("value")[:1]
        return items.annotate(sort_key=Coalesce(Subquery(value), last, output_field=FloatField()))
    column = {"latency": "latency_ms", "cost": "cost_usd"}.get(field)
    if column:
        return items.annotate(sort_key=Coalesce(F(column), last, output_field=FloatField()))
    return items.annotate(sort_key=Value(0.0, output_field=FloatField()))


def _beyond(cursor: tuple[float, int, int], *, sort_down: bool, place_down: bool) -> Q:
    """The rows on the far side of the cursor, in lexicographic order."""
    key, position, repetition = cursor
    sort, place = ("lt" if sort_down else "gt"), ("lt" if place_down else "gt")
    same_place = Q(position=position, **{f"repetition__{place}": repetition})
    # The first condition repeats the second: it is the one that an index over the position can use.
    beyond_place = Q(**{f"position__{place}e": position}) & (
        Q(**{f"position__{place}": position}) | same_place
    )
    return Q(**{f"sort_key__{sort}": key}) | (Q(sort_key=key) & beyond_place)


def _cursor(item: Any) -> str:
    return f"{item.sort_key!r}_{item.position}_{item.repetition}"


def _read_cursor(text: str) -> tuple[float, int, int] | None:
    parts = text.split("_")
    if len(text) > 80 or len(parts) != 3 or not all(part.isascii() for part in parts):
        return None
    try:
        key, position, repetition = float(parts[0]), int(parts[1]), int(parts[2])
    except ValueError:
        return None
    in_range = math.isfinite(key) and 0 <= position < 2**31 and 0 <= repetition < 2**15
    return (key, position, repetition) if in_range else None
