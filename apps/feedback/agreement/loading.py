"""A queue's annotations in columns: who gave which item which answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import FormField, Kind

_CHUNK = 20_000
#: Kinds whose answers are names, not numbers.
NAMED = frozenset({Kind.THUMB, Kind.CATEGORIES, Kind.VOTE})


@dataclass(slots=True)
class Answers:
    """The submitted answers of a queue, one a place: item, annotator and each field's value (None: none).

    Items and annotators are numbered in the order in which they come; gold items are left out.
    """

    items: list[UUID] = field(default_factory=list)
    raters: list[str] = field(default_factory=list)
    item: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    rater: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    shown_first: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    values: dict[str, list[Any]] = field(default_factory=dict)

    def table(self, one: FormField) -> tuple[NDArray[np.float64], list[str]]:
        """Annotators by items, NaN where there is no answer; and the names that the numbers stand for.

        Scales and numbers stand for themselves, so have no names.
        """
        given = self.values[one.key]
        names: list[str] = []
        if one.kind in NAMED:
            texts = [_name(value) for value in given]
            names = sorted({text for text in texts if text is not None})
            places = {name: float(place) for place, name in enumerate(names)}
            numbers = [float("nan") if text is None else places[text] for text in texts]
        else:
            numbers = [float("nan") if value is None else float(value) for value in given]
        table = np.full((len(self.raters), len(self.items)), np.nan)
        table[self.rater, self.item] = numbers
        return table, names

    def counts(self, one: FormField) -> dict[str, int]:
        """How often each answer was given."""
        given = Counter(_shown(value) for value in self.values[one.key] if value is not None)
        return dict(sorted(given.items(), key=lambda pair: (-pair[1], pair[0])))


def answers_load(queue: AnnotationQueue, form: Sequence[FormField]) -> Answers:
    """All submitted answers to `form`'s judged fields; one query, read in chunks.

    Always in the same order, so that what is resampled gives the same intervals.
    """
    keys = [one.key for one in form if one.judged]
    found = Answers(values={key: [] for key in keys})
    items: dict[UUID, int] = {}
    raters: dict[str, int] = {}
    places: list[tuple[int, int, int]] = []
    columns = "".join(", a.values -> %s" for _ in keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT a.item_id, a.rater, a.shown_first{columns}
            FROM feedback_annotation AS a JOIN feedback_queueitem AS i ON i.id = a.item_id
            WHERE a.queue_id = %s AND a.state = 'submitted' AND i.gold IS NULL
            ORDER BY a.item_id, a.rater
            """,  # noqa: S608  # as many placeholders as there are fields
            [*keys, queue.pk],
        )
        while rows := cursor.fetchmany(_CHUNK):
            for item_id, rater, shown_first, *given in rows:
                places.append(
                    (
                        items.setdefault(item_id, len(items)),
                        raters.setdefault(rater, len(raters)),
                        shown_first,
                    )
                )
                for key, value in zip(keys, given, strict=True):
                    found.values[key].append(json.loads(value) if isinstance(value, str) else value)
    found.items, found.raters = list(items), list(raters)
    columns_of = np.array(places, dtype=np.intp).reshape(-1, 3)
    found.item, found.rater, found.shown_first = columns_of[:, 0], columns_of[:, 1], columns_of[:, 2]
    return found


def _name(value: Any) -> str | None:
    """Several categories at once are a category of their own."""
    if value is None:
        return None
    return " + ".join(sorted(map(str, value))) if isinstance(value, list) else str(value)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(_name(value))
