"""Which of the versions, models or runs in a queue of pairs people prefer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.evaluations.statistics.preferences import share, strengths
from apps.feedback.agreement.loading import Answers
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import BAD, FIRST, SECOND, TIE, VOTE_KEY

#: What an answer may be called by, in words.
BY = {"name": "Name", "model": "Model", "prompt_version": "Prompt version", "run": "Run"}
MOST_SYSTEMS = 60
_WORTH = {FIRST: 1.0, SECOND: 0.0, TIE: 0.5, BAD: 0.5}
_CHUNK = 20_000
#: What the two answers of an item are called.
Pair = tuple[str, str]


def ranking_figures(queue: AnnotationQueue, answers: Answers) -> dict[str, Any]:
    """Strengths and win rates by each way that the answers are named; and whether the left side wins.

    Of a settled item the adjudicator's vote counts, and no other.
    """
    item, vote = _votes(queue, answers)
    named = _names(queue, answers.items)
    ways: list[dict[str, Any]] = []
    told_apart: set[tuple[tuple[int, int], ...]] = set()
    for key, label in BY.items():
        partition = _partition(named[key])
        found = None if partition in told_apart else _by(named[key], item, vote)
        if found is not None:
            ways.append({"by": key, "label": label, "systems": found})
            told_apart.add(partition)
    votes = np.array(vote)
    return {
        "votes": len(vote),
        "ties": int((votes == 0.5).sum()),
        "both_bad": sum(value == BAD for value in answers.values.get(VOTE_KEY, [])),
        "ways": ways,
        "left": _left(answers),
    }


def _votes(queue: AnnotationQueue, answers: Answers) -> tuple[list[int], list[float]]:
    """Item and worth for the first answer of each vote that counts."""
    settled = _settled(queue)
    item: list[int] = []
    vote: list[float] = []
    for place, value in zip(answers.item.tolist(), answers.values.get(VOTE_KEY, []), strict=True):
        if value in _WORTH and answers.items[place] not in settled:
            item.append(place)
            vote.append(_WORTH[value])
    places = {item_id: place for place, item_id in enumerate(answers.items)}
    for item_id, given in settled.items():
        if item_id in places:
            item += [places[item_id]] * len(given)
            vote += given
    return item, vote


def _settled(queue: AnnotationQueue) -> dict[UUID, list[float]]:
    rows = Annotation.objects.filter(
        item__disputed__queue=queue,
        item__disputed__status=QueueItem.Status.SETTLED,
        state=Annotation.State.SUBMITTED,
    ).values_list("item__disputed_id", "values")
    found: dict[UUID, list[float]] = {}
    for item_id, values in rows:
        if item_id is not None and values.get(VOTE_KEY) in _WORTH:
            found.setdefault(item_id, []).append(_WORTH[values[VOTE_KEY]])
    return found


def _names(queue: AnnotationQueue, items: Sequence[UUID]) -> dict[str, list[Pair | None]]:
    """For each way of naming: the two answers' names by item, None where one has none."""
    places = {item_id: place for place, item_id in enumerate(items)}
    found: dict[str, list[Pair | None]] = {key: [None] * len(items) for key in BY}
    columns = ", ".join(f"content #>> '{{answers,{side},{key}}}'" for key in BY for side in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {columns} FROM feedback_queueitem WHERE queue_id = %s",  # noqa: S608  # our own keys
            [queue.pk],
        )
        while rows := cursor.fetchmany(_CHUNK):
            for item_id, *given in rows:
                place = places.get(item_id)
                if place is None:
                    continue
                for number, key in enumerate(BY):
                    first, second = given[2 * number], given[2 * number + 1]
                    if first and second:
                        found[key][place] = (first, second)
    return found


def _partition(named: Sequence[Pair | None]) -> tuple[tuple[int, int], ...]:
    """Which answers are called alike, whatever they are called: two ways that tell the same apart are one."""
    codes: dict[str, int] = {}
    return tuple(
        (codes.setdefault(pair[0], len(codes)), codes.setdefault(pair[1], len(codes)))
        for pair in named
        if pair is not None
    )


def _by(named: Sequence[Pair | None], item: list[int], vote: list[float]) -> list[dict[str, Any]] | None:
    """The strongest first; None where fewer than two things are named, or far too many."""
    kept = []
    for place, value in zip(item, vote, strict=True):
        pair = named[place]
        if pair is not None and pair[0] != pair[1]:
            kept.append((place, value, pair))
    systems = sorted({name for _, _, pair in kept for name in pair})
    if not 2 <= len(systems) <= MOST_SYSTEMS:
        return None
    code = {name: number for number, name in enumerate(systems)}
    first = np.array([code[pair[0]] for _, _, pair in kept], dtype=np.intp)
    second = np.array([code[pair[1]] for _, _, pair in kept], dtype=np.intp)
    worth = np.array([one for _, one, _ in kept])
    items = np.array([place for place, _, _ in kept], dtype=np.intp)
    found = strengths(len(systems), first, second, worth, items)
    rows = [
        {"name": name, "strength": asdict(found[place]), **_record(place, first, second, worth, items)}
        for place, name in enumerate(systems)
    ]
    rows.sort(key=lambda row: -(row["strength"]["value"] or 0))
    return rows


def _record(
    system: int,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    worth: NDArray[np.float64],
    items: NDArray[np.intp],
) -> dict[str, Any]:
    """Wins, ties and losses in votes, and the share of votes won, ties as half."""
    mine = (first == system) | (second == system)
    own = np.where(first == system, worth, 1 - worth)[mine]
    return {
        "wins": int((own > 0.5).sum()),
        "ties": int((own == 0.5).sum()),
        "losses": int((own < 0.5).sum()),
        "won": asdict(share(own, items[mine])),
    }


def _left(answers: Answers) -> dict[str, Any] | None:
    """How often the answer on the left won, of the votes that chose one; of people who saw both here."""
    import_raters = np.array([rater.startswith("import:") for rater in answers.raters], dtype=bool)
    given = answers.values.get(VOTE_KEY, [])
    chosen = [
        (place, (value == FIRST) == (left == 0))
        for place, rater, left, value in zip(
            answers.item.tolist(), answers.rater.tolist(), answers.shown_first.tolist(), given, strict=True
        )
        if value in (FIRST, SECOND) and not import_raters[rater]
    ]
    if not chosen:
        return None
    return asdict(
        share(np.array([float(won) for _, won in chosen]), np.array([place for place, _ in chosen]))
    )
