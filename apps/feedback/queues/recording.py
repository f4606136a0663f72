"""Annotations made elsewhere, under the key that brings them: claimed and submitted in one."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.evaluations.raters import rater_of
from apps.feedback.models import Annotation, QueueItem
from apps.feedback.queues.errors import QueueArchived
from apps.feedback.queues.form import check_values, read_form
from apps.feedback.queues.leases import place_of, queue_locked
from apps.feedback.queues.submitting import Submitted, annotation_reopen, submit


def annotation_record(*, item: QueueItem, by: Actor, values: object, active_ms: int = 0) -> Submitted:
    """Keep an annotation that was made elsewhere; one for each key and item, so a second one replaces it.

    Surplus where all places are taken. Raises InvalidInput by field, QueueArchived,
    Settled.
    """
    rater = rater_of(by)
    with transaction.atomic():
        queue = queue_locked(item.queue_id, item.queue.adjudicates_id)
        if queue.archived_at is not None:
            raise QueueArchived(f"“{queue.name}” is archived: it takes no more annotations.")
        kept = check_values(read_form(queue.form), values)
        place_of(queue, rater)
        annotation = Annotation.objects.select_related("item").filter(item=item, rater=rater).first()
        if annotation is None:
            fresh = QueueItem.objects.get(pk=item.pk)
            annotation = Annotation(item=fresh, queue=queue, rater=rater, state=Annotation.State.EXPIRED)
            annotation.changed_at = timezone.now()
            annotation.save(force_insert=True)
        elif annotation.state == Annotation.State.SUBMITTED:
            annotation = annotation_reopen(annotation_id=annotation.pk, rater=rater)
        annotation.active_ms = active_ms
        return submit(queue, annotation, kept)
