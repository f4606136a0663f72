"""Who holds which item for how long: locks, places, and leases that ran out.

All that changes who holds what in a queue happens under a lock of the queue's row, which lasts milliseconds:
so places are counted, never guessed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone

from apps.core.models import new_id
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem, QueuePlace
from apps.feedback.queues import settling

LEASE = timedelta(minutes=10)
#: Leases that ran out, which one claim sees to; and one sweep.
MOST_RELEASED = 50
MOST_SWEPT = 1_000
#: What is told of an annotation's past.
LONGEST_HISTORY = 20

State = Annotation.State


def queue_locked(queue_id: UUID, adjudicates_id: UUID | None = None) -> AnnotationQueue:
    """The queue, locked until the transaction's end. An adjudicator's queue is locked after the one whose
    items it settles, as that one is locked first when it sends a dispute over."""
    rows = AnnotationQueue.objects.select_for_update(no_key=True, of=("self",))
    if adjudicates_id is not None:
        rows.get(pk=adjudicates_id)
    return rows.get(pk=queue_id)


def place_of(queue: AnnotationQueue, rater: str) -> QueuePlace:
    """How far the annotator is. Under the queue's lock."""
    return QueuePlace.objects.get_or_create(queue=queue, rater=rater)[0]


def hold(annotation: Annotation) -> None:
    """Give the annotation a new lease, which fences off whoever held it; unsaved."""
    now = timezone.now()
    annotation.state = State.CLAIMED
    annotation.lease = new_id()
    annotation.lease_until = now + LEASE
    annotation.changed_at = now


def place_take(item: QueueItem) -> None:
    """Take one of the item's open places. Under the queue's lock; gold items have none to take."""
    if item.gold is not None:
        return
    item.open_places -= 1
    if item.open_places == 0:
        item.returned = None
    item.save(update_fields=["open_places", "returned"])


def places_recount(queue: AnnotationQueue, item: QueueItem) -> None:
    """Make the item's open places what is asked for less what is held and submitted; what opens is given to
    those who have passed it, too. Under the queue's lock."""
    if item.gold is not None:
        return
    states = list(item.annotations.values_list("state", flat=True))
    held = states.count(State.CLAIMED)
    item.submitted = states.count(State.SUBMITTED)
    before = item.open_places
    item.open_places = max(0, queue.annotators_per_item - held - item.submitted)
    if item.open_places == 0:
        item.returned = None
    elif item.open_places > before:
        queue.returns += 1
        item.returned = queue.returns
        queue.save(update_fields=["returns"])
    item.save(update_fields=["open_places", "returned", "submitted"])


def count_for(annotation: Annotation, by: int) -> None:
    """One more, or one less, of the annotator's annotations counts."""
    own = QueuePlace.objects.filter(queue=annotation.queue_id, rater=annotation.rater)
    own.update(submitted=F("submitted") + by)


def remember(annotation: Annotation, what: str, **more: Any) -> None:
    """Add a line to the annotation's past; unsaved."""
    told = {key: value for key, value in more.items() if value}
    line = {"at": timezone.now().isoformat(), "what": what, **told}
    annotation.history = [*annotation.history, line][-LONGEST_HISTORY:]


def give_up(queue: AnnotationQueue, annotation: Annotation, what: str = "expired") -> None:
    """The annotator holds the item no more. What was submitted before stands again; else what was typed is
    kept, and the place is free. Under the queue's lock."""
    now = timezone.now()
    annotation.lease_until, annotation.changed_at = None, now
    again = annotation.submitted_values
    remember(annotation, what)
    if again is not None:
        annotation.state, annotation.values, annotation.submitted_values = State.SUBMITTED, again, None
    else:
        annotation.state = State.EXPIRED
    annotation.save()
    item = annotation.item
    places_recount(queue, item)
    if again is not None and item.gold is None:
        count_for(annotation, 1)
        settling.counted(queue, item, annotation)


def held_or_late(queue: AnnotationQueue, rater: str) -> tuple[list[Annotation], list[Annotation]]:
    """What the annotator holds, the oldest first; and what anybody holds beyond their lease, a few of it."""
    rows = list(
        Annotation.objects.select_for_update(no_key=True, of=("self",))
        .filter(queue=queue, state=State.CLAIMED)
        .filter(Q(rater=rater) | Q(lease_until__lt=timezone.now()))
        .select_related("item")
        .order_by(Case(When(rater=rater, then=0), default=1), "lease_until")[:MOST_RELEASED]
    )
    held = [row for row in rows if row.rater == rater]
    return sorted(held, key=lambda row: row.pk), [row for row in rows if row.rater != rater]


def leases_sweep() -> None:
    """Release what ran out in queues that nobody asks for a next item."""
    late = Annotation.objects.filter(state=State.CLAIMED, lease_until__lt=timezone.now())
    queues = late.order_by().values_list("queue_id", "queue__adjudicates_id")
    for queue_id, adjudicates_id in set(queues[:MOST_SWEPT]):
        with transaction.atomic():
            queue = queue_locked(queue_id, adjudicates_id)
            rows = late.select_for_update(no_key=True, of=("self",)).filter(queue=queue)
            for annotation in rows.select_related("item").order_by("lease_until")[:MOST_SWEPT]:
                give_up(queue, annotation)
