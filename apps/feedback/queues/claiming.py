"""The next item for an annotator: claimed atomically, for ten minutes at a time.

`QueuePlace` says how far an annotator has come, so that the search never walks over what they have passed;
what opens again behind them carries a rising number, of which they keep the last that they have seen to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, TextField, Value
from django.db.models.functions import MD5, Cast, Concat
from django.utils import timezone

from apps.core.locks import again_after_deadlock
from apps.core.models import User
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem, QueuePlace
from apps.feedback.queues.errors import QueueArchived
from apps.feedback.queues.leases import (
    give_up,
    held_or_late,
    hold,
    place_of,
    place_take,
    queue_locked,
    remember,
)
from apps.feedback.queues.submitting import (
    annotation_heartbeat,
    annotation_keep,
    annotation_release,
    annotation_reopen,
    annotation_skip,
    annotation_submit,
)

__all__ = [
    "Given",
    "annotation_heartbeat",
    "annotation_keep",
    "annotation_release",
    "annotation_reopen",
    "annotation_skip",
    "annotation_submit",
    "next_item",
]

#: Items that an annotator holds at once in a queue: the one in front of them, and those fetched ahead.
MOST_HELD = 3
#: Candidates that are looked at together, first a few, then more.
_STEPS = (20, 500, 5_000)

State = Annotation.State


@dataclass(frozen=True, slots=True)
class Given:
    """An item in an annotator's hands. `number` counts what they were given; `again`: they skipped it before.

    `others` are the answers that disagree, nameless, where the item came for adjudication.
    """

    annotation: Annotation
    item: QueueItem
    number: int
    again: bool = False

    @property
    def others(self) -> list[dict[str, Any]]:
        if self.item.disputed_id is None:
            return []
        answers = Annotation.objects.filter(item=self.item.disputed_id, state=State.SUBMITTED)
        return list(answers.order_by("pk").values_list("values", flat=True))


@again_after_deadlock
def next_item(
    *, queue: AnnotationQueue, rater: str, user: User | None, holding: Sequence[UUID] = ()
) -> Given | None:
    """What the annotator judges next: what they hold already and have not named in `holding`, else a new
    claim. None when there is nothing for them now, or they hold enough.

    Raises QueueArchived.
    """
    with transaction.atomic():
        queue = queue_locked(queue.pk, queue.adjudicates_id)
        if queue.archived_at is not None:
            raise QueueArchived(f"“{queue.name}” is archived: no more items are given.")
        place = place_of(queue, rater)
        held, late = held_or_late(queue, rater)
        for annotation in late:
            give_up(queue, annotation)
        for annotation in held:
            if annotation.pk not in holding:
                return _once_more(annotation, place)
        if len(held) >= MOST_HELD:
            return None
        return _claim(queue, place, rater, user)


def _claim(queue: AnnotationQueue, place: QueuePlace, rater: str, user: User | None) -> Given | None:
    own = _own(queue, rater, State.EXPIRED)
    if own is not None:
        return _take_up(own, place)
    gold = _gold_due(queue, place)
    item = gold or _returned(queue, place) or _ahead(queue, place)
    if item is None:
        skipped = _own(queue, rater, State.SKIPPED)
        return _take_up(skipped, place, again=True) if skipped else None
    annotation = Annotation(
        item=item, queue=queue, rater=rater, user=user, shown_first=_shown_first(item, rater)
    )
    hold(annotation)
    annotation.save(force_insert=True)
    place_take(item)
    place.given += 1
    place.gold_given += item.gold is not None
    place.seen_at = timezone.now()
    place.save()
    return Given(annotation, item, place.given)


def _once_more(annotation: Annotation, place: QueuePlace, *, again: bool = False) -> Given:
    """The same claim under a new lease: the window that had it before writes no more."""
    hold(annotation)
    annotation.save(update_fields=["state", "lease", "lease_until", "changed_at", "history"])
    return Given(annotation, annotation.item, place.given, again)


def _take_up(annotation: Annotation, place: QueuePlace, *, again: bool = False) -> Given:
    """What the annotator left, with what they had typed."""
    place_take(annotation.item)
    remember(annotation, "taken up")
    return _once_more(annotation, place, again=again)


def _own(queue: AnnotationQueue, rater: str, state: str) -> Annotation | None:
    """The annotator's longest left item of this state that still wants somebody."""
    left = Annotation.objects.filter(queue=queue, rater=rater, state=state).select_related("item")
    wanted = left.filter(Q(item__open_places__gt=0) | Q(item__gold__isnull=False))
    return wanted.order_by("changed_at").first()


def _shown_first(item: QueueItem, rater: str) -> int:
    """Which answer of a pair stands on the left: as good as drawn, and the same at each look."""
    return sha256(f"{item.pk}/{rater}".encode()).digest()[0] & 1


def _gold_due(queue: AnnotationQueue, place: QueuePlace) -> QueueItem | None:
    """A gold item, as often as the queue says and not at places that could be foreseen.

    Gold alone is no work: without other items there is none of it.
    """
    if not queue.gold_percent or not queue.gold_count or queue.done_count >= queue.item_count:
        return None
    share = queue.gold_percent / 100
    behind = share * (place.given + 1) - place.gold_given
    drawn = int.from_bytes(sha256(f"{queue.pk}/{place.rater}/{place.given}".encode()).digest()[:4]) / 2**32
    if behind < 2 and (behind <= -1 or drawn >= share):
        return None
    gold = QueueItem.objects.filter(queue=queue, gold__isnull=False).exclude(annotations__rater=place.rater)
    return gold.order_by(MD5(Concat(Cast("pk", TextField()), Value(place.rater)))).first()


def _returned(queue: AnnotationQueue, place: QueuePlace) -> QueueItem | None:
    """What opened again, or was added, behind the annotators; in that order."""
    if place.returned >= queue.returns:
        return None
    for size in _steps():
        rows = _candidates("returned", "returned > %s", [queue.pk, place.returned], size, place.rater)
        for number, item_id, had in rows:
            place.returned = number
            if not had:
                return QueueItem.objects.get(pk=item_id)
        if len(rows) < size:
            place.returned = queue.returns
            place.save(update_fields=["returned"])
            return None
    return None


def _ahead(queue: AnnotationQueue, place: QueuePlace) -> QueueItem | None:
    """The next open item in the queue's order."""
    for size in _steps():
        begun = place.item_id is not None
        beyond = "(sort_key, id) > (%s, %s)" if begun else "TRUE"
        parameters: list[Any] = [queue.pk, place.sort_key, place.item_id] if begun else [queue.pk]
        rows = _candidates("sort_key", beyond, parameters, size, place.rater)
        for key, item_id, had in rows:
            place.sort_key, place.item_id = key, item_id
            if not had:
                return QueueItem.objects.get(pk=item_id)
        if len(rows) < size:
            if rows:
                place.save(update_fields=["sort_key", "item_id"])
            return None
    return None


def _steps() -> Iterator[int]:
    yield from _STEPS[:-1]
    while True:
        yield _STEPS[-1]


def _candidates(
    order: str, where: str, parameters: list[Any], size: int, rater: str
) -> list[tuple[Any, UUID, bool]]:
    """Open items in order, and whether the annotator has had each.

    The inner query is one walk along an index, and only what it finds is looked up among the annotations, one
    by one, whatever the planner thinks of the tables. `order` and `where` are this module's own words.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT open.place, open.id, had.id IS NOT NULL
            FROM (
                SELECT {order} AS place, id FROM feedback_queueitem
                WHERE queue_id = %s AND open_places > 0 AND gold IS NULL AND {where}
                ORDER BY {order}, id LIMIT %s
            ) open
            LEFT JOIN LATERAL (
                SELECT id FROM feedback_annotation WHERE item_id = open.id AND rater = %s LIMIT 1
            ) had ON TRUE
            ORDER BY open.place, open.id
            """,  # noqa: S608
            [*parameters, size, rater],
        )
        return list(cursor.fetchall())
