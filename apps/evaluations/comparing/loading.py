"""Reading what a comparison is made of, in columns: a few queries, however many runs and rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.evaluations.models import EvalRun
from apps.evaluations.statistics.samples import Sample

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
#: (metric, source).
Named = tuple[str, str]


@dataclass(slots=True)
class RunRows:
    """A run's items and scores. Examples go by their numbers in the comparison (see `Rows`)."""

    #: Whether the run was to answer each of the comparison's examples.
    planned: NDArray[np.bool_]
    #: (status, kind of error) → the examples of the items that ended so.
    ended: dict[tuple[str, str], Ints] = field(default_factory=dict)
    latency_ms: Sample | None = None
    cost_usd: Sample | None = None
    scores: dict[Named, Sample] = field(default_factory=dict)
    #: Why items have no score: reason → their examples.
    unscored: dict[Named, dict[str, Ints]] = field(default_factory=dict)
    #: The number of the example at each position of the run.
    at_position: Ints = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    def planned_items(self) -> Ints:
        """How many items each example has: its repetitions."""
        found = np.zeros(self.planned.size, dtype=np.intp)
        for examples in self.ended.values():
            found += np.bincount(examples, minlength=found.size)
        return found


@dataclass(frozen=True, slots=True)
class Rows:
    """`ids[n]` is the id (16 bytes) of the comparison's example number n: all that any of the runs has."""

    ids: NDArray[np.bytes_]
    runs: dict[UUID, RunRows]

    @property
    def size(self) -> int:
        return int(self.ids.size)

    def uuids(self, numbers: Ints) -> list[UUID]:
        return [UUID(bytes=bytes(one).ljust(16, b"\0")) for one in self.ids[numbers]]


def load_rows(runs: Sequence[EvalRun]) -> Rows:
    """Items and scores of the runs; two queries."""
    found = _items([run.pk for run in runs])
    ids = np.unique(np.concatenate([group.ids for group in found])) if found else np.empty(0, dtype="S16")
    rows = Rows(ids, {run.pk: RunRows(np.zeros(ids.size, dtype=bool)) for run in runs})
    for group in found:
        _add_items(rows, group)
    _add_scores(rows)
    return rows


@dataclass(frozen=True, slots=True)
class _Group:
    run: UUID
    status: str
    error_kind: str
    ids: NDArray[np.bytes_]
    positions: Ints
    latency_ms: Floats
    cost_usd: Floats


def _items(run_ids: list[UUID]) -> list[_Group]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT run_id, status, error_kind,
                string_agg(uuid_send(example_id), ''::bytea),
                string_agg(int4send(position), ''::bytea),
                string_agg(float8send(coalesce(latency_ms, 'NaN')), ''::bytea),
                string_agg(float8send(coalesce(cost_usd::float8, 'NaN')), ''::bytea)
            FROM evaluations_evalitem WHERE run_id = ANY(%s)
            GROUP BY run_id, status, error_kind
            """,
            [run_ids],
        )
        return [
            _Group(run, status, kind, np.frombuffer(ids, dtype="S16"), ints(places), floats(ms), floats(usd))
            for run, status, kind, ids, places, ms, usd in cursor
        ]


def _add_items(rows: Rows, group: _Group) -> None:
    run = rows.runs[group.run]
    numbers = np.searchsorted(rows.ids, group.ids)
    run.planned[numbers] = True
    run.ended[group.status, group.error_kind] = numbers
    last = int(group.positions.max(initial=0))
    if last >= run.at_position.size:
        grown = np.full(last + 1, -1, dtype=np.intp)
        grown[: run.at_position.size] = run.at_position
        run.at_position = grown
    run.at_position[group.positions] = numbers
    if group.status == "completed":
        run.latency_ms = joined(run.latency_ms, Sample(numbers, group.latency_ms).finite())
        run.cost_usd = joined(run.cost_usd, Sample(numbers, group.cost_usd).finite())


def _add_scores(rows: Rows) -> None:
    """The values of completed items, one for each repetition: those of several raters are averaged."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT item.run_id, score.metric, score.source,
                CASE WHEN score.value IS NULL
                    THEN left(substring(score.detail FROM '^[^:;(“"‘''`0-9]*'), 80) END AS reason,
                string_agg(int4send(item.position), ''::bytea),
                string_agg(int4send(item.repetition::int4), ''::bytea),
                string_agg(float8send(score.value), ''::bytea)
            FROM evaluations_itemscore AS score JOIN evaluations_evalitem AS item ON item.id = score.item_id
            WHERE item.run_id = ANY(%s) AND item.status = 'completed'
            GROUP BY 1, 2, 3, 4
            """,
            [list(rows.runs)],
        )
        for run_id, metric, source, reason, positions, repetitions, values in cursor:
            run = rows.runs[run_id]
            examples = run.at_position[ints(positions)]
            if reason is None:
                run.scores[metric, source] = _one_each(examples, ints(repetitions), floats(values))
            else:
                reasons = run.unscored.setdefault((metric, source), {})
                reasons[reason.strip() or "No score"] = examples


def _one_each(examples: Ints, repetitions: Ints, values: Floats) -> Sample:
    place = examples * (int(repetitions.max(initial=0)) + 1) + repetitions
    order = np.argsort(place, kind="stable")
    place, values, examples = place[order], values[order], examples[order]
    first = np.flatnonzero(np.diff(place, prepend=-1))
    if first.size == place.size:
        return Sample(examples, values)
    sizes = np.diff(np.append(first, place.size))
    return Sample(examples[first], np.add.reduceat(values, first) / sizes)


def joined(one: Sample | None, other: Sample) -> Sample:
    if one is None:
        return other
    return Sample(np.concatenate([one.examples, other.examples]), np.concatenate([one.values, other.values]))


def ints(data: Any) -> Ints:
    return np.frombuffer(data, dtype=">i4").astype(np.intp)


def floats(data: Any) -> Floats:
    return np.frombuffer(data or b"", dtype=">f8").astype(np.float64)
