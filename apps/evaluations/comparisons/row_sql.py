"""The SQL of a comparison's rows: two runs paired, judged by one metric, narrowed and put in order.

Built of constant pieces; whatever comes from outside is a parameter. What only some requests need (the
examples' metadata, the outputs' texts) is left out where it is not asked for: that is what keeps a page of
100,000 rows quick. Scores and items come from covering indexes (`score_by_item`, the unique one of items).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from uuid import UUID

LONGEST_SEARCH = 200
FILTERS = ("worse", "better", "tied", "error", "missing", "differs", "unpaired")
#: In place of a metadata column: the split of the dataset.
SPLIT = "@split"
PLACES = ("baseline", "candidate", "change")


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows: of `candidate` against `baseline`, judged by one metric ("" for none) and its direction.

    `source` is where the metric's scores come from; `show` is one of FILTERS or "" for all. `slice` and
    `value` narrow to the examples whose metadata column (SPLIT: whose split) has the value, or has it in a
    list. `on`, `low` and `high` narrow to rows whose score of the baseline, of the candidate, or whose change
    lies in low ≤ value < high; where both are the same number, to that number; None is no bound. With
    `across`, the runs are over two versions of the dataset: an example that changed is paired by its key.
    """

    baseline: UUID
    candidate: UUID
    metric: str = ""
    source: str = "evaluator"
    direction: str = ""
    show: str = ""
    q: str = ""
    slice: str = ""
    value: str = ""
    on: str = ""
    low: float | None = None
    high: float | None = None
    across: bool = False

    @property
    def judged(self) -> bool:
        """Whether rows are told apart as better and worse."""
        return bool(self.metric) and self.direction in ("higher", "lower")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a row in the order. `item` tells apart what stands in the same place."""

    rank: int
    size: float
    position: int
    repetition: int
    item: UUID

    def __str__(self) -> str:
        return f"{self.rank}_{self.size!r}_{self.position}_{self.repetition}_{self.item.hex}"


def read_cursor(text: str) -> Cursor | None:
    """The cursor that a text stands for; None where it stands for none."""
    parts = text.split("_")
    if len(text) > 120 or len(parts) != 5 or not text.isascii():
        return None
    try:
        rank, size, position, repetition = int(parts[0]), float(parts[1]), int(parts[2]), int(parts[3])
        item = UUID(parts[4])
    except ValueError:
        return None
    if not math.isfinite(size) or not all(0 <= whole < 2**31 for whole in (rank, position, repetition)):
        return None
    return Cursor(rank, size, position, repetition, item)


_SIDE = """
    SELECT item.id, item.example_id, {key}item.repetition, item.position, item.status,
           scored.value, {found} AS found{output}
    FROM evaluations_evalitem AS item {joined}
    LEFT JOIN LATERAL (
        SELECT avg(score.value) AS value FROM evaluations_itemscore AS score
        WHERE score.item_id = item.id AND score.metric = %(metric)s AND score.source = %(source)s
          AND item.status = 'completed'
    ) AS scored ON {scored}
    WHERE item.run_id = %({side})s
"""
_WITH_EXAMPLE = "JOIN datasets_example AS example ON example.id = item.example_id"
_FOUND_TEXT = """(item.example_key{c} ILIKE %(like)s OR item.output{c} ILIKE %(like)s OR EXISTS (
        SELECT 1 FROM jsonb_each_text(example.inputs) AS input WHERE input.value{c} ILIKE %(like)s))"""
#: Twice as quick, and as good for words without accents: only the case of A to Z is left aside.
_PLAIN = ' COLLATE "C"'
_FOUND_SPLIT = "(example.split = %(value)s)"
_FOUND_METADATA = """CASE WHEN jsonb_typeof(example.metadata -> %(slice)s) = 'array' THEN EXISTS (
        SELECT 1 FROM jsonb_array_elements_text(example.metadata -> %(slice)s) AS tag WHERE tag = %(value)s
        ) ELSE coalesce(example.metadata ->> %(slice)s = %(value)s, false) END"""
# The ranks: worse 0, better 1, missing 2, the rest 3, unpaired 4; without a judging metric other texts come
# first, with 1. Within worse and better the largest change comes first.
_ROWS = """
WITH judged AS (
    SELECT pair.*,
           CASE WHEN kind <> '' THEN 'unpaired'
                WHEN b_status <> 'completed' OR c_status <> 'completed' THEN 'missing'
                WHEN NOT %(scored)s THEN ''
                WHEN b_value IS NULL OR c_value IS NULL THEN 'missing'
                WHEN %(sign)s = 0 THEN ''
                WHEN gain < 0 THEN 'worse' WHEN gain > 0 THEN 'better' ELSE 'tied' END AS outcome
    FROM (
        SELECT coalesce(b.example_id, c.example_id) AS example_id, repetition,
               coalesce(b.position, c.position) AS position, coalesce(b.id, c.id) AS item_id,
               b.id AS b_id, c.id AS c_id, b.status AS b_status, c.status AS c_status,
               b.value AS b_value, c.value AS c_value, c.value - b.value AS change,
               (c.value - b.value) * %(sign)s AS gain,
               CASE WHEN c.id IS NULL THEN 'baseline' WHEN b.id IS NULL THEN 'candidate'
                    WHEN b.example_id <> c.example_id THEN 'changed' ELSE '' END AS kind,
               {differs} AS differs
        FROM ({baseline}) AS b FULL JOIN ({candidate}) AS c USING ({paired_by})
        WHERE coalesce(b.found, false) OR coalesce(c.found, false)
    ) AS pair
), ranked AS (
    SELECT judged.*,
           CASE outcome WHEN 'worse' THEN 0 WHEN 'better' THEN 1 WHEN 'missing' THEN 2
                WHEN 'unpaired' THEN 4 ELSE CASE WHEN outcome = '' AND differs THEN 1 ELSE 3 END END AS rank,
           CASE WHEN outcome IN ('worse', 'better') THEN -abs(gain) ELSE 0 END AS size
    FROM judged
    WHERE {in_range}
)
"""
_ANSWERED = "kind = '' AND b_status = 'completed' AND c_status = 'completed'"
_CONDITIONS = {
    "": "true",
    "worse": "outcome = 'worse'",
    "better": "outcome = 'better'",
    "tied": "outcome = 'tied'",
    "error": "(b_status = 'failed' OR c_status = 'failed')",
    "missing": "outcome = 'missing'",
    "differs": f"(differs AND {_ANSWERED})",
    "unpaired": "outcome = 'unpaired'",
}
COUNTED = ("total", *FILTERS)
COLUMNS = (
    *("example_id", "repetition", "outcome", "kind", "b_id", "c_id", "b_value", "c_value"),
    *("rank", "size", "position", "item_id"),
)
_ORDER = ("rank", "size", "position", "repetition", "item_id")
# One statement for both, so that the rows are judged once; the counts come with every row, and alone where
# there is none.
_PAGE = """
, counted AS (SELECT {counts} FROM ranked)
, page AS (
    SELECT {columns} FROM ranked
    WHERE {condition} AND {beyond}
    ORDER BY {order} LIMIT %(limit)s
)
SELECT counted.*, page.* FROM counted LEFT JOIN page ON true ORDER BY {order}
"""
_EVERY = "SELECT {columns} FROM ranked WHERE {condition} ORDER BY {order}"
_COUNTED = "SELECT {count} FROM ranked"
_BEYOND = "({place}) {sign} (%(rank)s, %(size)s, %(position)s, %(repetition)s, %(item)s)"


def page_statement(
    query: RowQuery, *, cursor: Cursor | None, backwards: bool, size: int, count_texts: bool
) -> tuple[str, dict[str, Any]]:
    """Statement and parameters: COUNTED, then COLUMNS of up to `size` rows from the cursor on.

    Counting the rows of another text reads every output, so it is left out (null) without `count_texts`.
    """
    texts = count_texts or _needs_texts(query)
    direction, sign = ("DESC", "<") if backwards else ("ASC", ">")
    counts = ["count(*)", *(_count(name, counted=texts or name != "differs") for name in FILTERS)]
    statement = _rows(query, texts=texts) + _PAGE.format(
        counts=", ".join(counts),
        columns=", ".join(COLUMNS),
        condition=_CONDITIONS.get(query.show, "true"),
        beyond=_BEYOND.format(place=", ".join(_ORDER), sign=sign) if cursor else "true",
        order=", ".join(f"{column} {direction}" for column in _ORDER),
    )
    place = {name: getattr(cursor, name) for name in Cursor.__slots__} if cursor else {}
    return statement, {**_params(query), **place, "limit": size}


def all_statement(query: RowQuery) -> tuple[str, dict[str, Any]]:
    """Statement and parameters: COLUMNS of every row of the query, in order."""
    every = _EVERY.format(
        columns=", ".join(COLUMNS), condition=_CONDITIONS.get(query.show, "true"), order=", ".join(_ORDER)
    )
    return _rows(query, texts=_needs_texts(query)) + every, _params(query)


def texts_statement(query: RowQuery) -> tuple[str, dict[str, Any]]:
    """Statement and parameters: how many rows have another text, whatever else is shown."""
    counted = _COUNTED.format(count=_count("differs", counted=True))
    return _rows(query, texts=True) + counted, _params(query)


def _needs_texts(query: RowQuery) -> bool:
    """Whether the order or the filter depends on the outputs' texts."""
    return query.show == "differs" or not query.judged


def _count(name: str, *, counted: bool) -> str:
    return f"count(*) FILTER (WHERE {_CONDITIONS[name]})" if counted else "NULL::bigint"


def _rows(query: RowQuery, *, texts: bool) -> str:
    return _ROWS.format(
        baseline=_side(query, "baseline", texts=texts),
        candidate=_side(query, "candidate", texts=texts),
        differs="b.output IS DISTINCT FROM c.output" if texts else "false",
        paired_by="example_key, repetition" if query.across else "example_id, repetition",
        in_range=_in_range(query),
    )


def _side(query: RowQuery, side: str, *, texts: bool) -> str:
    found = []
    if _number(query.q) is not None:
        found.append("item.position = %(number)s")
    elif query.q.strip():
        found.append(_FOUND_TEXT.format(c=_PLAIN if query.q.isascii() else ""))
    if query.slice and query.value:
        found.append(_FOUND_SPLIT if query.slice == SPLIT else _FOUND_METADATA)
    return _SIDE.format(
        side=side,
        key="item.example_key, " if query.across else "",
        found=" AND ".join(found) or "true",
        output=", item.output" if texts else "",
        joined=_WITH_EXAMPLE if found else "",
        scored="true" if query.metric else "false",
    )


def _in_range(query: RowQuery) -> str:
    if query.on not in PLACES or (query.low is None and query.high is None):
        return "true"
    column = {"baseline": "b_value", "candidate": "c_value", "change": "change"}[query.on]
    if query.low is not None and query.low == query.high:
        return f"abs({column} - %(low)s) <= 1e-9"
    bounds = [f"{column} >= %(low)s"] if query.low is not None else []
    bounds += [f"{column} < %(high)s"] if query.high is not None else []
    return " AND ".join(bounds)


def _params(query: RowQuery) -> dict[str, Any]:
    return {
        "baseline": query.baseline,
        "candidate": query.candidate,
        "metric": query.metric,
        "source": query.source,
        "scored": bool(query.metric),
        "sign": {"higher": 1, "lower": -1}.get(query.direction, 0),
        "like": _like(query.q),
        "number": _number(query.q),
        "slice": query.slice,
        "value": query.value,
        "low": query.low,
        "high": query.high,
    }


def _number(text: str) -> int | None:
    """The place in the run that "#16" stands for, as pages call an example without a key of its own."""
    mark, digits = text.strip()[:1], text.strip()[1:]
    return int(digits) if mark == "#" and digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _like(text: str) -> str:
    """A pattern that finds the text anywhere, its own % and _ taken literally; "" finds everything."""
    words = text.replace("\x00", "")[:LONGEST_SEARCH].strip()
    for special in ("\\", "%", "_"):
        words = words.replace(special, f"\\{special}")
    return f"%{words}%" if words else ""
