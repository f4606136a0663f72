"""What an item's answers make of it: open, done, disputed, settled; and the scores that follow."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import disagreements, read_form
from apps.feedback.queues.scoring import scores_remove, scores_write

Status = QueueItem.Status
State = Annotation.State


def counted(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    """An annotation counts from now on. Under the queue's lock; the item's places are right already."""
    if item.status != Status.SETTLED:
        scores_write(queue, item, annotation)
    item_settle(queue, item)
    if item.disputed_id is not None:
        _settle(item.disputed_id)


def uncounted(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    """An annotation that counted is open again."""
    scores_remove(queue, item, annotation)
    item_settle(queue, item)
    if item.disputed_id is not None:
        _unsettle(item.disputed_id)


def item_settle(
    queue: AnnotationQueue, item: QueueItem, answers: Sequence[dict[str, Any]] | None = None
) -> None:
    """Save how many answers the item has, and the status that they make; a settled one stays settled.

    `answers` saves a query where they are known.
    """
    if item.status == Status.SETTLED:
        item.save(update_fields=["submitted"])
        return
    before, item.status = item.status, _status(queue, item, answers)
    item.save(update_fields=["submitted", "status"])
    if item.status == before:
        return
    if item.status == Status.DISPUTED:
        send_to_adjudication([item], queue)
    elif before == Status.DISPUTED:
        QueueItem.objects.filter(disputed=item, annotations=None).delete()


def _status(queue: AnnotationQueue, item: QueueItem, answers: Sequence[dict[str, Any]] | None) -> Status:
    if item.open_places > 0 or item.submitted < queue.annotators_per_item:
        return Status.OPEN
    if item.submitted < 2:
        return Status.DONE
    if answers is None:
        answers = list(item.annotations.filter(state=State.SUBMITTED).values_list("values", flat=True))
    return Status.DISPUTED if disagreements(read_form(queue.form), answers) else Status.DONE


def send_to_adjudication(items: Sequence[QueueItem], queue: AnnotationQueue) -> int:
    """Copy disputed items into the queue's adjudication queue, each once; returns how many there were.

    Nothing where it has none.
    """
    adjudication = AnnotationQueue.objects.filter(adjudicates=queue).first()
    if adjudication is None:
        return 0
    now = timezone.now().timestamp()
    copies = [
        QueueItem(
            queue=adjudication,
            fingerprint=sha256(f"disputed/{item.pk}".encode()).hexdigest(),
            disputed=item,
            span_id=item.span_id,
            result_id=item.result_id,
            other_span_id=item.other_span_id,
            other_result_id=item.other_result_id,
            feedback_id=item.feedback_id,
            content=item.content,
            uncertainty=item.uncertainty,
            sort_key=now,
            open_places=adjudication.annotators_per_item,
        )
        for item in items
    ]
    return len(QueueItem.objects.bulk_create(copies, ignore_conflicts=True, batch_size=500))


def _settle(disputed_id: UUID) -> None:
    """The adjudicator's answers stand in place of those that disagree; these are kept, and score no more."""
    item = QueueItem.objects.select_related("queue").get(pk=disputed_id)
    if item.status == Status.SETTLED:
        return
    item.status = Status.SETTLED
    item.save(update_fields=["status"])
    adjudicators = set(
        Annotation.objects.filter(item__disputed=item, state=State.SUBMITTED).values_list("rater", flat=True)
    )
    for annotation in item.annotations.filter(state=State.SUBMITTED).exclude(rater__in=adjudicators):
        scores_remove(item.queue, item, annotation)


def _unsettle(disputed_id: UUID) -> None:
    """The adjudicator has taken the item up again: until they are done, it is disputed as before."""
    item = QueueItem.objects.select_related("queue").get(pk=disputed_id)
    if item.status != Status.SETTLED:
        return
    item.status = Status.OPEN
    item.save(update_fields=["status"])
    item_settle(item.queue, item)
    for annotation in item.annotations.filter(state=State.SUBMITTED):
        scores_write(item.queue, item, annotation)
