"""Reading for blind review: which pair comes next for a voter, how far they are, what they said so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Count, F, Q, QuerySet, When

from apps.evaluations.blind.sides import sides
from apps.evaluations.comparisons.figures import SPLIT
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.models import EvalItem, PairVote

#: Votes that the summary lists, newest first.
MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class BlindPool:
    """The pairs that `rater` votes on: of the state's two runs, in its slice.

    With `identical`, also those whose outputs are the same text. With `names_at_end` no vote tells the names
    of its runs; the summary does.
    """

    state: ComparisonState
    rater: str
    identical: bool = False
    names_at_end: bool = False


@dataclass(frozen=True, slots=True)
class BlindCounts:
    """`pairs` are to be voted on, `voted` of them are; `identical` and `unanswered` ones are left out."""

    pairs: int
    voted: int
    identical: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class BlindRow:
    """One pair as the voter sees it. `place` stands for the pair in the voter's order, and for nothing else.

    `vote` is the voter's own, where there is one.
    """

    first: EvalItem
    second: EvalItem
    place: str
    vote: PairVote | None

    @property
    def name(self) -> str:
        """What the address calls the row: the same for both outputs."""
        return f"{self.first.example_id}.{self.first.repetition}"

    def chosen(self) -> str:
        """ "1", "2" or "0" (a tie), as it was voted; "" before."""
        if self.vote is None:
            return ""
        if self.vote.winner == PairVote.Winner.TIE:
            return "0"
        won = self.vote.item_id if self.vote.winner == PairVote.Winner.ITEM else self.vote.other_item_id
        return "1" if won == self.first.pk else "2"


@dataclass(frozen=True, slots=True)
class Standing:
    """The voter's votes on the two runs so far, seen from the candidate."""

    wins: int
    ties: int
    losses: int


# The order is by a hash of the voter and the row, so it says nothing of scores, runs or sides.
_PAIRS = """
WITH pairs AS (
    SELECT b.id AS baseline_id, c.id AS candidate_id,
           b.status = 'completed' AND c.status = 'completed' AS answered,
           b.output = c.output AND b.tool_calls = c.tool_calls AS identical,
           md5(%(seed)s || b.example_id::text || '.' || b.repetition) AS place,
           EXISTS (SELECT FROM evaluations_pairvote AS vote
                   WHERE vote.item_id = least(b.id, c.id) AND vote.other_item_id = greatest(b.id, c.id)
                     AND vote.source = 'human' AND vote.evaluator_version_id IS NULL
                     AND vote.rater = %(rater)s) AS voted
    FROM evaluations_evalitem AS b
    JOIN evaluations_evalitem AS c
      ON c.run_id = %(candidate)s AND c.example_id = b.example_id AND c.repetition = b.repetition
    {slice}
)
"""
_NEXT = """
SELECT counted.*, following.* FROM (
    SELECT count(*) FILTER (WHERE {wanted}), count(*) FILTER (WHERE {wanted} AND voted),
           count(*) FILTER (WHERE answered AND identical), count(*) FILTER (WHERE NOT answered)
    FROM pairs
) AS counted LEFT JOIN (
    SELECT baseline_id, candidate_id, place FROM pairs
    WHERE {wanted} AND NOT voted
    ORDER BY place <= %(after)s, place LIMIT 1
) AS following ON true
"""
_OF_ALL = "WHERE b.run_id = %(baseline)s"
_OF_SLICE = "JOIN datasets_example AS example ON example.id = b.example_id WHERE b.run_id = %(baseline)s AND "
_SPLIT = "example.split = %(value)s"
_COLUMN = """(example.metadata ->> %(column)s = %(value)s
        OR example.metadata -> %(column)s @> jsonb_build_array(%(value)s::text))"""


def blind_next(pool: BlindPool, *, after: str = "") -> tuple[BlindCounts, BlindRow | None]:
    """The next pair the voter has not voted on, after a place in their order and then from its beginning.

    None when all are voted on. Two queries, however many rows there are.
    """
    column = pool.state["slice"]
    part = f"{_OF_SLICE}{_SPLIT if column == SPLIT else _COLUMN}" if column else _OF_ALL
    wanted = "answered" if pool.identical else "answered AND NOT identical"
    params: dict[str, Any] = {
        "baseline": pool.state.baseline.pk,
        "candidate": pool.state.candidate.pk,
        "rater": pool.rater,
        "seed": f"{pool.state.comparison.pk}/{pool.rater}/",
        "after": after,
        "column": column,
        "value": pool.state["value"],
    }
    with connection.cursor() as db:
        db.execute(_PAIRS.format(slice=part) + _NEXT.format(wanted=wanted), params)
        *counts, baseline_id, candidate_id, place = db.fetchone()
    row = None
    if baseline_id is not None:
        items = EvalItem.objects.in_bulk([baseline_id, candidate_id])
        if len(items) == 2:
            row = _row(pool, items[baseline_id], items[candidate_id], place, None)
    return BlindCounts(*counts), row


def blind_row(pool: BlindPool, name: str) -> BlindRow | None:
    """The pair that an address names, with the voter's vote; None where there is no such pair any more."""
    example_id, repetition = _read_name(name)
    if example_id is None:
        return None
    runs = {pool.state.baseline.pk, pool.state.candidate.pk}
    found = EvalItem.objects.filter(
        run__in=runs, example=example_id, repetition=repetition, status=EvalItem.Status.COMPLETED
    )
    items = list(found)
    if len(items) < 2:
        return None
    vote = PairVote.objects.filter(
        item=min(item.pk for item in items),
        other_item=max(item.pk for item in items),
        evaluator_version=None,
        rater=pool.rater,
    ).first()
    return _row(pool, items[0], items[1], "", vote)


def votes_of(pool: BlindPool) -> QuerySet[PairVote]:
    """The voter's votes on these two runs, newest first."""
    runs = [pool.state.baseline.pk, pool.state.candidate.pk]
    return PairVote.objects.filter(
        rater=pool.rater, source=PairVote.Source.HUMAN, item__run__in=runs, other_item__run__in=runs
    ).order_by("-created_at", "-id")


def last_voted(pool: BlindPool, *, before: BlindRow | None = None) -> str:
    """The name of the row voted on last, or last before `before`; "" where there is none."""
    votes = votes_of(pool)
    if before is not None and before.vote is not None:
        votes = votes.filter(
            Q(created_at__lt=before.vote.created_at)
            | Q(created_at=before.vote.created_at, id__lt=before.vote.pk)
        )
    found = votes.values_list("item__example", "item__repetition").first()
    return f"{found[0]}.{found[1]}" if found else ""


def standing_of(pool: BlindPool) -> Standing:
    """How the voter's votes stand, in one query."""
    won_by = Case(
        When(winner=PairVote.Winner.ITEM, then=F("item__run")),
        When(winner=PairVote.Winner.OTHER, then=F("other_item__run")),
        default=None,
    )
    counts: dict[Any, int] = dict(
        votes_of(pool).order_by().annotate(won_by=won_by).values_list("won_by").annotate(n=Count("id"))
    )
    return Standing(
        wins=counts.get(pool.state.candidate.pk, 0),
        ties=counts.get(None, 0),
        losses=counts.get(pool.state.baseline.pk, 0),
    )


def _row(pool: BlindPool, one: EvalItem, other: EvalItem, place: str, vote: PairVote | None) -> BlindRow:
    first, second = sides(pool.state.comparison, one, other, rater=pool.rater)
    return BlindRow(first=first, second=second, place=place, vote=vote)


def _read_name(name: str) -> tuple[UUID | None, int]:
    text, _, repetition = name.partition(".")
    if len(name) > 45 or not (repetition.isascii() and repetition.isdigit() and len(repetition) < 5):
        return None, 0
    try:
        return UUID(text), int(repetition)
    except ValueError:
        return None, 0
