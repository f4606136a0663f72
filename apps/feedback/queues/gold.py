"""Gold items: the right answers are known, and everybody gets some of them among the others.

They are no work and give no scores; how often an annotator is right on them says how far to trust them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import JUDGED, check_values, read_form
from apps.feedback.queues.leases import count_for, places_recount, queue_locked
from apps.feedback.queues.scoring import scores_remove, scores_write
from apps.feedback.queues.settling import item_settle


def item_gold_set(*, item: QueueItem, by: Actor, values: Mapping[str, Any]) -> QueueItem:
    """Make an item gold, with its known answers; what was submitted on it is kept, and scores no more.

    Raises InvalidInput by field; one of what people judge must be known.
    """
    with transaction.atomic():
        queue, item = _locked(item)
        form = read_form(queue.form)
        known = check_values(form, dict(values), partial=True)
        known = {field.key: known[field.key] for field in form if field.kind in JUDGED and field.key in known}
        if not known:
            text = "Give the right answer to at least one question that can be right or wrong."
            raise InvalidInput(text, fields={"gold": [text]})
        if item.gold is None:
            _count_no_more(queue, item)
        item.gold, item.open_places, item.returned = known, 0, None
        item.save(update_fields=["gold", "open_places", "returned"])
        QueueItem.objects.filter(disputed=item, annotations=None).delete()
        audit(by, "queue_item.gold", queue, project=queue.project, after={"item": str(item.pk), **known})
    return item


def item_gold_unset(*, item: QueueItem, by: Actor) -> QueueItem:
    """Make a gold item one like the others: what was submitted on it counts."""
    with transaction.atomic():
        queue, item = _locked(item)
        if item.gold is None:
            return item
        item.gold = None
        item.save(update_fields=["gold"])
        places_recount(queue, item)
        for annotation in item.annotations.filter(state=Annotation.State.SUBMITTED):
            count_for(annotation, 1)
            if item.status != QueueItem.Status.SETTLED:
                scores_write(queue, item, annotation)
        item_settle(queue, item)
        audit(by, "queue_item.not_gold", queue, project=queue.project, before={"item": str(item.pk)})
    return item


def known_answers(item: QueueItem) -> dict[str, Any]:
    """What is most likely right on an item: the adjudicator's answers, or what all agree on; else {}."""
    submitted = Annotation.objects.filter(state=Annotation.State.SUBMITTED)
    if item.status == QueueItem.Status.SETTLED:
        settled = submitted.filter(item__disputed=item).order_by("-submitted_at").first()
        return dict(settled.values) if settled else {}
    if item.status == QueueItem.Status.DONE:
        first = submitted.filter(item=item).order_by("submitted_at").first()
        return dict(first.values) if first else {}
    return {}


def _locked(item: QueueItem) -> tuple[AnnotationQueue, QueueItem]:
    ids = AnnotationQueue.objects.values_list("pk", "adjudicates_id").get(pk=item.queue_id)
    queue = queue_locked(*ids)
    return queue, QueueItem.objects.get(pk=item.pk)


def _count_no_more(queue: AnnotationQueue, item: QueueItem) -> None:
    for annotation in item.annotations.filter(state=Annotation.State.SUBMITTED):
        scores_remove(queue, item, annotation)
        count_for(annotation, -1)
