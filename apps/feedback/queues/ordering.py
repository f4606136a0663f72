"""Which item comes before which, and how many places each has, when a queue's settings change.

In the caller's transaction, which holds the queue's lock.
"""

from __future__ import annotations

from django.db import connection

from apps.feedback.models import Annotation, AnnotationQueue, QueueItem, QueuePlace
from apps.feedback.queues.settling import item_settle

_KEYS = {
    AnnotationQueue.Order.RANDOM: "random()",
    AnnotationQueue.Order.UNCERTAIN: "-coalesce(item.uncertainty, 0)",
    AnnotationQueue.Order.OLDEST: "extract(epoch FROM coalesce(item.happened_at, item.created_at))",
}
_CHUNK = 500
_PLACES = """
    UPDATE feedback_queueitem item
    SET open_places = greatest(0, %(wanted)s - item.submitted - held.count), returned = NULL
    FROM (
        SELECT one.id, count(mine.id) AS count FROM feedback_queueitem one
        LEFT JOIN feedback_annotation mine ON mine.item_id = one.id AND mine.state = 'claimed'
        WHERE one.queue_id = %(queue)s AND one.gold IS NULL GROUP BY one.id
    ) held
    WHERE held.id = item.id
"""


def order_anew(queue: AnnotationQueue) -> None:
    """Give every item its place in the queue's order, and have everybody begin at its front again."""
    key = _KEYS[AnnotationQueue.Order(queue.order)]  # our own words
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE feedback_queueitem item SET sort_key = {key} WHERE item.queue_id = %s",  # noqa: S608
            [queue.pk],
        )
    begin_again(queue)


def places_anew(queue: AnnotationQueue) -> None:
    """Count every item's open places by what is asked for now; statuses follow."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, {"wanted": queue.annotators_per_item, "queue": queue.pk})
    open_again = QueueItem.objects.filter(
        queue=queue, submitted__lt=queue.annotators_per_item, gold__isnull=True, disputed=None
    )
    done, disputed = QueueItem.Status.DONE, QueueItem.Status.DISPUTED
    back = list(open_again.filter(status=disputed).values_list("pk", flat=True))
    open_again.filter(status__in=(done, disputed)).update(status=QueueItem.Status.OPEN)
    for start in range(0, len(back), _CHUNK):
        QueueItem.objects.filter(disputed__in=back[start : start + _CHUNK], annotations=None).delete()
    _close(queue)
    begin_again(queue)


def _close(queue: AnnotationQueue) -> None:
    """Fewer are asked for: what has enough answers is done, or disputed."""
    full = QueueItem.objects.filter(
        queue=queue, status=QueueItem.Status.OPEN, open_places=0, gold__isnull=True
    ).filter(submitted__gte=queue.annotators_per_item)
    ids = list(full.values_list("pk", flat=True))
    for start in range(0, len(ids), _CHUNK):
        items = QueueItem.objects.in_bulk(ids[start : start + _CHUNK])
        answers: dict[object, list[dict[str, object]]] = {pk: [] for pk in items}
        submitted = Annotation.objects.filter(item__in=items, state=Annotation.State.SUBMITTED)
        for item_id, values in submitted.values_list("item_id", "values"):
            answers[item_id].append(values)
        for pk, item in items.items():
            item_settle(queue, item, answers[pk])


def begin_again(queue: AnnotationQueue) -> None:
    """Everybody looks through the queue from its front: what they had is passed over, what is open is not."""
    QueuePlace.objects.filter(queue=queue).update(sort_key=None, item_id=None, returned=queue.returns)
