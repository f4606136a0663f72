"""What figures are made of, as one short text: when it changes, they have to be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import connection

from apps.evaluations.models import Comparison, EvalRun

#: Raised when the figures themselves change, so that those kept of older comparisons are made again.
EDITION = 3


def made_of(comparison: Comparison, runs: Sequence[EvalRun]) -> str:
    """The state of the comparison's runs, scores and votes; one query, whatever their number.

    Which runs have ended is part of it: figures are of those alone. A run's scores, those of judges and their
    votes among them, change only up to its end or with a new one.
    People vote at any time after.
    """
    ends = sorted(f"{run.pk}@{run.finalized_at}" for run in runs)
    text = "|".join([str(EDITION), comparison.primary_metric, *ends, _votes(runs)])
    return hashlib.sha256(text.encode()).hexdigest()


def _votes(runs: Sequence[EvalRun]) -> str:
    """How many votes people gave, and a sum in which each counts by its place and its choice."""
    ids = [run.pk for run in runs]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), coalesce(sum(vote.id::numeric * CASE vote.winner
                WHEN 'item' THEN 1 WHEN 'other' THEN 2 ELSE 3 END), 0)
            FROM evaluations_pairvote AS vote
            JOIN evaluations_evalitem AS item ON item.id = vote.item_id
            JOIN evaluations_evalitem AS other ON other.id = vote.other_item_id
            WHERE vote.source = 'human' AND item.run_id = ANY(%s) AND other.run_id = ANY(%s)
            """,
            [ids, ids],
        )
        return " ".join(map(str, cursor.fetchone()))
