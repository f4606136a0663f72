"""Scores of a judge beside people's ratings of the same items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from apps.evaluations.models import EvaluatorVersion
from apps.feedback.judging.matching import Match

Row = tuple[Any, ...]

_RATINGS = """
    SELECT item.id, item.run_id, item.example_id, judge.value, judge.label, human.value, human.label,
        human.rater
    FROM evaluations_itemscore AS human
    JOIN evaluations_evalitem AS item ON item.id = human.item_id
    JOIN evaluations_itemscore AS judge ON judge.item_id = human.item_id
        AND judge.metric = %(metric)s AND judge.source = 'evaluator'
        AND judge.evaluator_version_id = %(version)s
    WHERE human.source = 'human' AND human.metric = ANY(%(metrics)s) AND item.run_id = ANY(%(runs)s)
        AND (human.value IS NOT NULL OR human.label <> '')
        AND (judge.value IS NOT NULL OR judge.label <> '')
"""
#: A vote as the judge's item sees it: it wins, the other does, or neither; people vote either way round.
_VOTES = """
    SELECT item.id, item.run_id, item.example_id, {judge}, judge.winner, {human}, {seen}, human.rater
    FROM evaluations_pairvote AS judge
    JOIN evaluations_evalitem AS item ON item.id = judge.item_id
    JOIN evaluations_pairvote AS human ON human.source = 'human' AND {same}
    WHERE judge.evaluator_version_id = %(version)s AND item.run_id = ANY(%(runs)s)
"""
_WORTH = "CASE {column} WHEN 'item' THEN 1.0 WHEN 'other' THEN 0.0 ELSE 0.5 END"
_TURNED = "CASE human.winner WHEN 'item' THEN 'other' WHEN 'other' THEN 'item' ELSE 'tie' END"
_WORDS = {"item": "this answer", "other": "the other", "tie": "a tie"}


@dataclass(slots=True)
class Judged:
    """One item: what the judge says of it, and what each person does."""

    item: UUID
    run: UUID
    example: UUID
    value: float | None
    label: str
    values: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        return sum(self.values) / len(self.values) if self.values else None

    @property
    def majority(self) -> str | None:
        """What most people say; None where two answers tie."""
        ranked = Counter(self.labels).most_common(2)
        return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def judged_load(
    version: EvaluatorVersion, metric: str, match: Match, runs: Sequence[UUID]
) -> tuple[list[Judged], int]:
    """The items that both rated, and how many people rated them."""
    found: dict[UUID, Judged] = {}
    raters: set[str] = set()
    for item, run, example, value, label, human, said, rater in _rows(version, metric, match, runs):
        one = found.setdefault(item, Judged(item, run, example, value, label))
        raters.add(rater)
        if human is not None:
            one.values.append(float(human))
        if said:
            one.labels.append(said)
    return list(found.values()), len(raters)


def _rows(version: EvaluatorVersion, metric: str, match: Match, runs: Sequence[UUID]) -> list[Row]:
    given: dict[str, Any] = {
        "version": version.pk,
        "metric": metric,
        "metrics": list(match.metrics),
        "runs": list(runs),
    }
    with connection.cursor() as cursor:
        if not match.votes:
            cursor.execute(_RATINGS, given)
            return list(cursor.fetchall())
        straight = _VOTES.format(
            judge=_WORTH.format(column="judge.winner"),
            human=_WORTH.format(column="human.winner"),
            seen="human.winner",
            same="human.item_id = judge.item_id AND human.other_item_id = judge.other_item_id",
        )
        turned = _VOTES.format(
            judge=_WORTH.format(column="judge.winner"),
            human=_WORTH.format(column=_TURNED),
            seen=_TURNED,
            same="human.item_id = judge.other_item_id AND human.other_item_id = judge.item_id",
        )
        cursor.execute(f"{straight} UNION ALL {turned}", given)
        return [(*row[:4], _WORDS[row[4]], row[5], _WORDS[row[6]], row[7]) for row in cursor.fetchall()]


def judge_values(version: EvaluatorVersion, metric: str, run: UUID) -> list[tuple[UUID, UUID, float]]:
    """(item, example, value) of all that the judge scored in a run."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT item.id, item.example_id, judge.value
            FROM evaluations_evalitem AS item
            JOIN evaluations_itemscore AS judge ON judge.item_id = item.id
                AND judge.metric = %s AND judge.source = 'evaluator' AND judge.evaluator_version_id = %s
            WHERE item.run_id = %s AND judge.value IS NOT NULL
            """,
            [metric, version.pk, run],
        )
        return list(cursor.fetchall())
