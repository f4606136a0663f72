"""Votes between the runs of a comparison, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.evaluations.comparing.loading import Ints, Rows, ints
from apps.evaluations.models import EvalRun

SOURCES = ("human", "judge")
_FOR_FIRST = {"item": 1.0, "other": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes between runs, one a place: `first[i]` against `second[i]`, places among the runs.

    `value` is 1 where the first won, 0 where it lost, 0.5 for a tie. `shown` is 1 where the first was shown
    first, 0 where the second was, NaN where both orders were asked; `flipped` where these disagreed.
    """

    first: Ints
    second: Ints
    value: NDArray[np.float64]
    shown: NDArray[np.float64]
    flipped: NDArray[np.bool_]
    examples: Ints
    raters: Ints

    def among(self, keep: NDArray[np.bool_]) -> Votes:
        return Votes(*(getattr(self, name)[keep] for name in self.__slots__))

    def between(self, candidate: int, baseline: int) -> Votes:
        """Those between two runs, the candidate as the first."""
        straight = (self.first == candidate) & (self.second == baseline)
        turned = (self.first == baseline) & (self.second == candidate)
        found, swap = self.among(straight | turned), turned[straight | turned]
        return Votes(
            np.where(swap, found.second, found.first),
            np.where(swap, found.first, found.second),
            np.where(swap, 1 - found.value, found.value),
            np.where(swap, 1 - found.shown, found.shown),
            found.flipped,
            found.examples,
            found.raters,
        )


def load_votes(runs: Sequence[EvalRun], rows: Rows) -> dict[str, Votes]:
    """Source → its votes, for each source that has any; one query."""
    places = {run.pk: place for place, run in enumerate(runs)}
    raters: dict[str, int] = {}
    parts: dict[str, list[tuple[Any, ...]]] = {}
    for source, first, second, winner, shown_first, consistent, rater, positions in _grouped(list(places)):
        examples = rows.runs[first].at_position[ints(positions)]
        told = (
            places[first],
            places[second],
            _FOR_FIRST[winner],
            _FOR_FIRST.get(shown_first, np.nan),
            not consistent,
        )
        columns = [np.full(examples.size, value) for value in told]
        by = np.full(examples.size, raters.setdefault(rater, len(raters)))
        parts.setdefault(source, []).append((*columns, examples, by))
    return {
        source: Votes(*(np.concatenate(columns) for columns in zip(*groups, strict=True)))
        for source, groups in parts.items()
    }


def _grouped(run_ids: list[UUID]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT vote.source, item.run_id, other.run_id, vote.winner, vote.shown_first, vote.consistent,
                vote.rater, string_agg(int4send(item.position), ''::bytea)
            FROM evaluations_pairvote AS vote
            JOIN evaluations_evalitem AS item ON item.id = vote.item_id
            JOIN evaluations_evalitem AS other ON other.id = vote.other_item_id
            WHERE item.run_id = ANY(%s) AND other.run_id = ANY(%s) AND item.run_id <> other.run_id
            GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
            """,
            [run_ids, run_ids],
        )
        return list(cursor.fetchall())
