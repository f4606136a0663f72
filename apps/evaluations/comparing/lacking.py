"""Which rows lack a score on either side, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.evaluations.comparing.loading import Named, Rows, RunRows
from apps.evaluations.error_words import ERROR_WORDS

Mask = NDArray[np.bool_]
MOST_REASONS = 5
_ENDED = {"cancelled": "Cancelled", "pending": "Not answered", "answered": "Not scored"}


def reasons(run: RunRows, metric: Named, lacking: Mask) -> list[dict[str, Any]]:
    """Why the `lacking` examples have no score: the five most frequent reasons, the rest as one.

    An example counts once, under the first thing that is known of it.
    """
    left = lacking.copy()
    counts: dict[str, int] = {}
    for reason, examples in _known(run, metric):
        count = int(np.unique(examples[left[examples]]).size)
        left[examples] = False
        if count:
            counts[reason] = counts.get(reason, 0) + count
    if left.any():
        counts["No score"] = counts.get("No score", 0) + int(left.sum())
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    shown, others = ordered[:MOST_REASONS], ordered[MOST_REASONS:]
    if others:
        shown.append((f"{len(others)} other reasons", sum(count for _, count in others)))
    return [{"reason": reason, "count": count} for reason, count in shown]


def _known(run: RunRows, metric: Named) -> list[tuple[str, NDArray[np.intp]]]:
    ended = [
        (_words(status, kind), examples)
        for (status, kind), examples in sorted(run.ended.items())
        if status != "completed"
    ]
    return [*ended, *run.unscored.get(metric, {}).items()]


def _words(status: str, kind: str) -> str:
    if status == "failed":
        return ERROR_WORDS.get(kind, kind.replace("_", " ").capitalize() or "Failed")
    return _ENDED.get(status, status.capitalize())


class Changes:
    """Examples that only some of the runs have: of other versions of the dataset, or left out by the plan."""

    def __init__(self, rows: Rows) -> None:
        planned = np.array([run.planned for run in rows.runs.values()])
        apart = np.flatnonzero(planned.any(axis=0) & ~planned.all(axis=0))
        self._keys = np.full(rows.size, -1, dtype=np.intp)
        self._keys[apart] = _key_numbers(rows.uuids(apart))

    def unpaired(self, baseline: RunRows, candidate: RunRows) -> tuple[dict[str, int], Mask]:
        """Counts of what cannot be paired; and which examples changed, so that they are no missing rows.

        An example that changed is two with one key: the older one in one run, the newer one in the other.
        """
        first, second = baseline.planned & ~candidate.planned, candidate.planned & ~baseline.planned
        both = np.intersect1d(self._keys[first], self._keys[second])
        changed = np.isin(self._keys, both) & (first | second)
        counts = {
            "changed": int(both.size),
            "only_baseline": int((first & ~changed).sum()),
            "only_candidate": int((second & ~changed).sum()),
        }
        return counts, changed


def _key_numbers(ids: Sequence[UUID]) -> list[int]:
    """A number for each example's key; examples of one key have the same."""
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, key FROM datasets_example WHERE id = ANY(%s)", [list(ids)])
        keys: Mapping[UUID, str] = dict(cursor.fetchall())
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys.values()))}
    return [numbers[keys[one]] for one in ids]
