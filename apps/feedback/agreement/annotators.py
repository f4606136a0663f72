"""Each annotator of a queue: how quick, how right on gold items, how much like the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db.models import Count
from numpy.typing import NDArray

from apps.evaluations.statistics.against_people import rate
from apps.evaluations.statistics.intervals import mean_interval
from apps.feedback.agreement.loading import Answers
from apps.feedback.models import Annotation, AnnotationQueue
from apps.feedback.queues.form import FormField, matches_gold

State = Annotation.State
MOST_RATERS = 500
_MS_AN_HOUR = 3_600_000


def raters_figures(
    queue: AnnotationQueue, answers: Answers, form: Sequence[FormField]
) -> list[dict[str, Any]]:
    """One entry for each annotator, the busiest first. The number of queries is fixed."""
    states = _states(queue)
    gold = _gold(queue, form)
    times = _times(queue)
    alike = _alike(answers, form)
    busiest = sorted(states, key=lambda rater: (-states[rater][State.SUBMITTED], rater))[:MOST_RATERS]
    return [
        {
            "rater": rater,
            "submitted": states[rater][State.SUBMITTED],
            "skipped": states[rater][State.SKIPPED],
            "conflicts": states[rater][State.CONFLICT],
            **_speed(times.get(rater, [])),
            "gold": asdict(rate(*gold.get(rater, (0, 0)))),
            "alike": alike.get(rater),
        }
        for rater in busiest
    ]


def _states(queue: AnnotationQueue) -> dict[str, Counter[str]]:
    counted = (State.SUBMITTED, State.SKIPPED, State.CONFLICT)
    found: dict[str, Counter[str]] = {}
    rows = Annotation.objects.filter(queue=queue, state__in=counted).values_list("rater", "state")
    for rater, state, number in rows.annotate(number=Count("id")).order_by():
        found.setdefault(rater, Counter())[state] = number
    return found


def _gold(queue: AnnotationQueue, form: Sequence[FormField]) -> dict[str, tuple[int, int]]:
    """Rater → gold items answered right, and answered."""
    found: dict[str, tuple[int, int]] = {}
    rows = Annotation.objects.filter(queue=queue, state=State.SUBMITTED, item__gold__isnull=False)
    for rater, values, gold in rows.values_list("rater", "values", "item__gold").iterator(chunk_size=5_000):
        right, n = found.get(rater, (0, 0))
        found[rater] = (right + matches_gold(form, gold or {}, values), n + 1)
    return found


def _times(queue: AnnotationQueue) -> dict[str, list[int]]:
    """Rater → milliseconds of each item that was in front of them; what came in a file has none."""
    found: dict[str, list[int]] = {}
    rows = Annotation.objects.filter(queue=queue, state=State.SUBMITTED, active_ms__gt=0)
    for rater, active_ms in rows.values_list("rater", "active_ms").iterator(chunk_size=20_000):
        found.setdefault(rater, []).append(active_ms)
    return found


def _speed(times: list[int]) -> dict[str, float | None]:
    if not times:
        return {"median_s": None, "per_hour": None}
    return {"median_s": float(np.median(times)) / 1000, "per_hour": len(times) * _MS_AN_HOUR / sum(times)}


def _alike(answers: Answers, form: Sequence[FormField]) -> dict[str, dict[str, Any]]:
    """Of the others who answered the same item: the share that said the same, averaged over items.

    By the form's first field that people can agree on.
    """
    one = next((one for one in form if one.judged), None)
    if one is None or not answers.items:
        return {}
    table, _ = answers.table(one)
    others = np.isfinite(table).sum(axis=0) - 1
    same = _same(table)
    found = {}
    for place, rater in enumerate(answers.raters):
        counts = np.isfinite(table[place]) & (others > 0)
        mine = mean_interval(same[place, counts] / others[counts], binary=True)
        found[rater] = {"value": mine.mean, "low": mine.low, "high": mine.high, "items": mine.n}
    return found


def _same(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many others gave each answer's item the same answer."""
    same = np.zeros(table.shape)
    for value in np.unique(table[np.isfinite(table)]):
        here = table == value
        same += here * (here.sum(axis=0) - 1)
    return same
