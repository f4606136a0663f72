"""The examples of a comparison side by side, in the database: regressions first, a page at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch

from apps.evaluations.models import EvalItem, EvalRun, ItemScore

FILTERS = ("worse", "better", "tied", "differs", "missing")
LONGEST_SEARCH = 200
_COUNTS = 6  # columns of RowCounts


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows: of `candidate` against `baseline`, judged by one metric ("" for none) and its direction.

    `source` is where the metric's scores come from; `show` is one of FILTERS or "" for all.
    """

    baseline: UUID
    candidate: UUID
    metric: str = ""
    source: str = "evaluator"
    direction: str = ""
    show: str = ""
    q: str = ""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One example (and repetition) in both runs; an item is None where a run does not have it.

    `outcome` is worse, better, tied, missing, or "" when no metric judges; the values are the metric's.
    """

    example_id: UUID
    repetition: int
    outcome: str
    differs: bool
    baseline: EvalItem | None
    candidate: EvalItem | None
    baseline_value: float | None
    candidate_value: float | None
    cursor: str

    @property
    def change(self) -> float | None:
        if self.baseline_value is None or self.candidate_value is None:
            return None
        return self.candidate_value - self.baseline_value

    @property
    def item(self) -> EvalItem:
        item = self.baseline or self.candidate
        assert item is not None  # a row comes from at least one of the two
        return item


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows there are of each sort; `differs` counts outputs that are not the same text."""

    total: int = 0
    worse: int = 0
    better: int = 0
    tied: int = 0
    differs: int = 0
    missing: int = 0


# The ranks: worse 0, better 1, another text 2, missing 3, the same 4. Within worse and better the largest
# change comes first.
_ROWS = """
WITH scored AS (
    SELECT score.item_id, avg(score.value) AS value
    FROM evaluations_itemscore AS score JOIN evaluations_evalitem AS item ON item.id = score.item_id
    WHERE item.run_id IN (%(baseline)s, %(candidate)s) AND score.metric = %(metric)s
      AND score.source = %(source)s AND item.status = 'completed'
    GROUP BY score.item_id
), sides AS (
    SELECT item.id, item.run_id, item.example_id, item.repetition, item.position, item.output,
           item.status = 'completed' AS completed, scored.value,
           %(like)s = '' OR item.example_key ILIKE %(like)s OR item.output ILIKE %(like)s AS found
    FROM evaluations_evalitem AS item LEFT JOIN scored ON scored.item_id = item.id
    WHERE item.run_id IN (%(baseline)s, %(candidate)s)
), paired AS (
    SELECT example_id, repetition, coalesce(b.position, c.position) AS position,
           b.id AS baseline_id, c.id AS candidate_id, b.value AS baseline_value, c.value AS candidate_value,
           coalesce(b.found, false) OR coalesce(c.found, false) AS found,
           coalesce(b.completed AND c.completed, false) AS answered,
           b.output IS DISTINCT FROM c.output AS differs,
           (c.value - b.value) * %(sign)s AS gain
    FROM (SELECT * FROM sides WHERE run_id = %(baseline)s) AS b
    FULL JOIN (SELECT * FROM sides WHERE run_id = %(candidate)s) AS c USING (example_id, repetition)
), judged AS (
    SELECT paired.*,
           CASE WHEN NOT answered THEN 'missing'
                WHEN %(metric)s <> '' AND (baseline_value IS NULL OR candidate_value IS NULL) THEN 'missing'
                WHEN %(metric)s = '' OR %(sign)s = 0 THEN ''
                WHEN gain < 0 THEN 'worse' WHEN gain > 0 THEN 'better' ELSE 'tied' END AS outcome
    FROM paired
), ranked AS (
    SELECT judged.*,
           CASE outcome WHEN 'worse' THEN 0 WHEN 'better' THEN 1 WHEN 'missing' THEN 3
                ELSE CASE WHEN differs THEN 2 ELSE 4 END END AS rank,
           CASE WHEN outcome IN ('worse', 'better') THEN -abs(gain) ELSE 0 END AS size
    FROM judged
)
"""
_CONDITIONS = {
    "": "true",
    "worse": "outcome = 'worse'",
    "better": "outcome = 'better'",
    "tied": "outcome = 'tied'",
    "differs": "differs AND answered",
    "missing": "outcome = 'missing'",
}
# One statement for both, so that the rows are judged once; the counts come with every row, and alone where
# there is none.
_PAGE = """
, counted AS (
    SELECT count(*), count(*) FILTER (WHERE outcome = 'worse'), count(*) FILTER (WHERE outcome = 'better'),
           count(*) FILTER (WHERE outcome = 'tied'), count(*) FILTER (WHERE differs AND answered),
           count(*) FILTER (WHERE outcome = 'missing')
    FROM ranked
), page AS (
    SELECT example_id, repetition, outcome, differs, baseline_id, candidate_id, baseline_value,
           candidate_value, rank, size, position
    FROM ranked
    WHERE found AND {condition}
      AND (%(rank)s IS NULL
           OR (rank, size, position, repetition) {beyond} (%(rank)s, %(size)s, %(position)s, %(repetition)s))
    ORDER BY rank {way}, size {way}, position {way}, repetition {way}
    LIMIT %(limit)s
)
SELECT counted.*, page.* FROM counted LEFT JOIN page ON true
ORDER BY rank {way}, size {way}, position {way}, repetition {way}
"""


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of rows, with cursors to what lies beyond; None where nothing does.

    `counts` are of all rows of the two runs, whatever is shown.
    """

    rows: list[ComparedRow]
    counts: RowCounts
    previous: str | None
    next: str | None


def compared_rows(query: RowQuery, *, after: str = "", before: str = "", size: int = 50) -> RowsPage:
    """The page of rows after or before a cursor. A cursor that cannot be read is the beginning.

    Four queries: the rows, their items with examples, and the scores of both.
    """
    backwards = bool(before)
    cursor = _read_cursor(before or after)
    params = {**_params(query), **_cursor_params(cursor), "like": _like(query.q), "limit": size + 1}
    page = _PAGE.format(
        condition=_CONDITIONS.get(query.show, "true"),
        beyond="<" if backwards else ">",
        way="DESC" if backwards else "ASC",
    )
    with connection.cursor() as db:
        db.execute(_ROWS + page, params)
        answer = db.fetchall()
    counts = RowCounts(*answer[0][:_COUNTS])
    found = [row[_COUNTS:] for row in answer if row[_COUNTS] is not None]
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    rows = _with_items(found)
    has_next = bool(rows) and (backwards or more)
    has_previous = bool(rows) and (more if backwards else cursor is not None)
    return RowsPage(
        rows=rows,
        counts=counts,
        previous=rows[0].cursor if has_previous else None,
        next=rows[-1].cursor if has_next else None,
    )


def items_of_example(runs: Sequence[EvalRun], example_id: UUID) -> list[EvalItem]:
    """Every item of one example in `runs`, by repetition, with example and scores."""
    items = EvalItem.objects.filter(run__in=[run.pk for run in runs], example=example_id)
    return list(_whole(items).order_by("repetition"))


def _with_items(found: list[tuple[Any, ...]]) -> list[ComparedRow]:
    ids = [item_id for row in found for item_id in row[4:6] if item_id is not None]
    items = {
        item.pk: item
        for item in _whole(EvalItem.objects.filter(pk__in=ids)).defer("rendered", "example__search")
    }
    return [
        ComparedRow(
            example_id=example_id,
            repetition=repetition,
            outcome=outcome,
            differs=differs,
            baseline=items.get(baseline_id),
            candidate=items.get(candidate_id),
            baseline_value=baseline_value,
            candidate_value=candidate_value,
            cursor=f"{rank}_{change!r}_{position}_{repetition}",
        )
        for (
            example_id,
            repetition,
            outcome,
            differs,
            baseline_id,
            candidate_id,
            baseline_value,
            candidate_value,
            rank,
            change,
            position,
        ) in found
    ]


def _whole(items: Any) -> Any:
    return items.select_related("example").prefetch_related(
        Prefetch("scores", ItemScore.objects.order_by("id"))
    )


def _params(query: RowQuery) -> dict[str, Any]:
    return {
        "baseline": query.baseline,
        "candidate": query.candidate,
        "metric": query.metric,
        "source": query.source,
        "sign": {"higher": 1, "lower": -1}.get(query.direction, 0),
    }


def _like(text: str) -> str:
    """A pattern that finds the text anywhere, its own % and _ taken literally; "" finds everything."""
    words = text.replace("\x00", "")[:LONGEST_SEARCH].strip()
    for special in ("\\", "%", "_"):
        words = words.replace(special, f"\\{special}")
    return f"%{words}%" if words else ""


def _cursor_params(cursor: tuple[int, float, int, int] | None) -> dict[str, Any]:
    names = ("rank", "size", "position", "repetition")
    return dict(zip(names, cursor or (None, None, None, None), strict=True))


def _read_cursor(text: str) -> tuple[int, float, int, int] | None:
    parts = text.split("_")
    if len(text) > 80 or len(parts) != 4 or not text.isascii():
        return None
    try:
        rank, size, position, repetition = int(parts[0]), float(parts[1]), int(parts[2]), int(parts[3])
    except ValueError:
        return None
    in_range = math.isfinite(size) and all(0 <= whole < 2**31 for whole in (rank, position, repetition))
    return (rank, size, position, repetition) if in_range else None
