"""The examples of a comparison side by side, in the database: regressions first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch, Q

from apps.evaluations.comparisons.row_sql import (
    COLUMNS,
    COUNTED,
    FILTERS,
    LONGEST_SEARCH,
    PLACES,
    SPLIT,
    Cursor,
    RowQuery,
    all_statement,
    page_statement,
    read_cursor,
    texts_statement,
)
from apps.evaluations.kept_answers import kept_answer
from apps.evaluations.models import EvalItem, ItemScore, PairVote
from apps.evaluations.raters import rater_names

__all__ = [
    "FILTERS",
    "LONGEST_SEARCH",
    "PLACES",
    "SPLIT",
    "ComparedRow",
    "RowCounts",
    "RowQuery",
    "RowsPage",
    "compared_rows",
    "every_row",
    "other_texts",
    "pairs_of_example",
    "votes_of",
]
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One example (and repetition) in both runs; an item is None where a run does not have it.

    `outcome` is worse, better, tied, missing, unpaired, or "" when no metric judges; the values are the
    metric's. `kind` says what an unpaired row is: only in the "baseline" or in the "candidate", or "changed"
    between two versions of the dataset. `differs`: both answered, and not with the same text.
    """

    example_id: UUID
    repetition: int
    outcome: str
    baseline: EvalItem | None
    candidate: EvalItem | None
    baseline_value: float | None
    candidate_value: float | None
    cursor: str
    kind: str = ""
    differs: bool = False

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
    """How many rows there are of each sort, of those that pass text, slice and range.

    `differs` counts paired answers that are not the same text; None where it was not counted. `error` is part
    of `missing` where the pair is complete; `unpaired` is apart from all others.
    """

    total: int = 0
    worse: int = 0
    better: int = 0
    tied: int = 0
    error: int = 0
    missing: int = 0
    differs: int | None = 0
    unpaired: int = 0


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of rows, with cursors to what lies beyond; None where nothing does.

    `counts` are of the rows that pass text, slice and range, whatever of them is shown.
    """

    rows: list[ComparedRow]
    counts: RowCounts
    previous: str | None
    next: str | None


def compared_rows(
    query: RowQuery,
    *,
    after: str = "",
    before: str = "",
    size: int = 50,
    count_texts: bool = True,
    state: str = "",
) -> RowsPage:
    """The page of rows after or before a cursor. A cursor that cannot be read is the beginning.

    Three queries: the rows, their items with examples, and the scores of both. `state` names what the rows
    are made of, where that is known: the first page of long runs is then found once and kept.
    """
    backwards = bool(before)
    cursor = read_cursor(before or after)
    asked = page_statement(query, cursor=cursor, backwards=backwards, size=size + 1, count_texts=count_texts)
    answer = kept_answer(*asked, state="" if cursor else state)
    counts = RowCounts(*answer[0][: len(COUNTED)])
    found = [row[len(COUNTED) :] for row in answer if row[len(COUNTED)] is not None]
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


def every_row(query: RowQuery, *, texts: bool = True) -> Iterator[ComparedRow]:
    """Every row of the query in its order; the items come some hundreds at a time, in two queries.

    Without `texts` they come without outputs and scores, and `differs` is not told.
    """
    statement, params = all_statement(query)
    with connection.chunked_cursor() as db:
        db.execute(statement, params)
        while found := db.fetchmany(_AT_A_TIME):
            yield from _with_items(found, texts=texts)


def first_rows(query: RowQuery, most: int) -> list[ComparedRow]:
    """Up to `most` rows of the query, in its order: without the outputs, which many rows are too long for."""
    return list(islice(every_row(query, texts=False), most))


def other_texts(query: RowQuery, *, state: str = "") -> int:
    """How many rows of the query's text, slice and range have another text in the candidate."""
    return int(kept_answer(*texts_statement(query), state=state)[0][0])


def pairs_of_example(query: RowQuery, example_id: UUID) -> list[ComparedRow]:
    """The rows of one example, a repetition each; with `query.across`, also of the other state it has.

    Outcomes and values are those of the query's metric. Three queries, whatever the example.
    """
    runs = (query.baseline, query.candidate)
    named = Q(example=example_id)
    if query.across:
        key = EvalItem.objects.filter(run__in=runs, example=example_id).values("example_key")[:1]
        named |= Q(example_key=key)
    items = list(_whole(EvalItem.objects.filter(named, run__in=runs)).order_by("repetition"))
    sides = {(item.run_id, item.repetition): item for item in items}
    return [
        _pair(query, sides.get((query.baseline, repetition)), sides.get((query.candidate, repetition)))
        for repetition in sorted({item.repetition for item in items})
    ]


@dataclass(frozen=True, slots=True)
class RowVote:
    """What a rater chose between the two outputs of a row: baseline, candidate, or tie. `rater` is a name."""

    chosen: str
    source: str
    rater: str
    consistent: bool
    reason: str


def votes_of(rows: Sequence[ComparedRow]) -> list[RowVote]:
    """What judges and people chose between the outputs of `rows`, whichever of them they were asked about."""
    old = {row.baseline.pk for row in rows if row.baseline}
    new = {row.candidate.pk for row in rows if row.candidate}
    votes = PairVote.objects.filter(item__in=old | new, other_item__in=old | new)
    found, kept = [], list(votes.select_related("evaluator_version__evaluator").order_by("id"))
    names = rater_names({vote.rater for vote in kept if vote.evaluator_version is None})
    for vote in kept:
        won = {"item": vote.item_id, "other": vote.other_item_id}.get(vote.winner)
        chosen = "baseline" if won in old else "candidate" if won in new else "tie"
        judge = vote.evaluator_version.evaluator.name if vote.evaluator_version else names[vote.rater]
        found.append(RowVote(chosen, vote.source, judge, vote.consistent, vote.reason))
    return found


def _pair(query: RowQuery, baseline: EvalItem | None, candidate: EvalItem | None) -> ComparedRow:
    """Judged as the statement of the rows judges."""
    item = baseline or candidate
    assert item is not None
    old, new = _value(query, baseline), _value(query, candidate)
    sign = {"higher": 1, "lower": -1}.get(query.direction, 0)
    kind = "" if baseline and candidate else "baseline" if baseline else "candidate"
    if baseline and candidate and baseline.example_id != candidate.example_id:
        kind = "changed"
    answered = _answered(baseline) and _answered(candidate)
    if kind:
        outcome = "unpaired"
    elif not answered or (query.metric and (old is None or new is None)):
        outcome = "missing"
    elif not query.judged or old is None or new is None:
        outcome = ""
    else:
        gain = (new - old) * sign
        outcome = "worse" if gain < 0 else "better" if gain > 0 else "tied"
    return ComparedRow(
        example_id=item.example_id,
        repetition=item.repetition,
        outcome=outcome,
        baseline=baseline,
        candidate=candidate,
        baseline_value=old,
        candidate_value=new,
        cursor="",
        kind=kind,
        differs=_differs(baseline, candidate),
    )


def _value(query: RowQuery, item: EvalItem | None) -> float | None:
    """The mean over raters, as the statement takes it."""
    if item is None or not _answered(item):
        return None
    values = [
        score.value
        for score in item.scores.all()
        if score.metric == query.metric and score.source == query.source and score.value is not None
    ]
    return sum(values) / len(values) if values else None


def _with_items(found: Sequence[tuple[Any, ...]], *, texts: bool = True) -> list[ComparedRow]:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    ids = [row[side] for row in rows for side in ("b_id", "c_id") if row[side] is not None]
    asked = EvalItem.objects.filter(pk__in=ids)
    chosen = (
        _whole(asked) if texts else asked.select_related("example").defer("output", "tool_calls", "error")
    )
    items = {item.pk: item for item in chosen.defer("rendered", "example__search")}
    return [_row(row, items.get(row["b_id"]), items.get(row["c_id"]), texts=texts) for row in rows]


def _row(
    row: dict[str, Any], baseline: EvalItem | None, candidate: EvalItem | None, *, texts: bool
) -> ComparedRow:
    cursor = Cursor(row["rank"], row["size"], row["position"], row["repetition"], row["item_id"])
    return ComparedRow(
        example_id=row["example_id"],
        repetition=row["repetition"],
        outcome=row["outcome"],
        baseline=baseline,
        candidate=candidate,
        baseline_value=row["b_value"],
        candidate_value=row["c_value"],
        cursor=str(cursor),
        kind=row["kind"],
        differs=texts and _differs(baseline, candidate),
    )


def _answered(item: EvalItem | None) -> bool:
    return item is not None and item.status == EvalItem.Status.COMPLETED


def _differs(baseline: EvalItem | None, candidate: EvalItem | None) -> bool:
    if baseline is None or candidate is None or not (_answered(baseline) and _answered(candidate)):
        return False
    return baseline.output != candidate.output


def _whole(items: Any) -> Any:
    return items.select_related("example").prefetch_related(
        Prefetch("scores", ItemScore.objects.order_by("id"))
    )
