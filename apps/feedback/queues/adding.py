"""Putting things into a queue, each once: a few at once while somebody waits, many by a worker."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.errors import ProductError
from apps.feedback.models import AnnotationQueue, QueueAddition, QueueItem, QueuePlace
from apps.feedback.queues.errors import QueueArchived
from apps.feedback.queues.item_contents import Thing
from apps.feedback.queues.leases import queue_locked
from apps.feedback.queues.sources import Source, source_read

log = logging.getLogger(__name__)

ADD_TASK = "worker.feedback.add_items"
#: So many are added while their sender waits; more by a worker.
MOST_IN_REQUEST = 500
BATCH = 500
_LEASE = timedelta(minutes=2)
_GIVEN_UP_AFTER = timedelta(days=1)
#: Two items of one batch that happened at one time stay in their order.
_STEP = 1e-6

Status = QueueAddition.Status


def queue_items_add(*, queue: AnnotationQueue, by: Actor, source: dict[str, Any]) -> QueueAddition:
    """Put what the source means into the queue; what is in it already is left as it is.

    The addition is completed when this returns, or goes on in a worker when it is of more than 500 things.
    Raises InvalidInput by field, QueueArchived.
    """
    if queue.archived_at is not None:
        raise QueueArchived(f"“{queue.name}” is archived. Bring it back to add items.")
    with transaction.atomic():
        addition = QueueAddition(
            project_id=queue.project_id, queue=queue, source=source, **QueueAddition.author_fields(by)
        )
        read = _source(addition)
        ids = read.ids()
        addition.label, addition.total = read.label[:300], len(ids)
        addition.save(force_insert=True)
        audit(
            by,
            "annotation_queue.add_items",
            queue,
            project=queue.project,
            after={"from": addition.label, "things": addition.total},
        )
        if len(ids) > MOST_IN_REQUEST:
            enqueue(ADD_TASK, queue="default", addition_id=str(addition.pk))
            return addition
        for start in range(0, len(ids), BATCH):
            _add(addition, read.things(ids[start : start + BATCH]))
        _finish(addition, len(ids))
    return addition


def addition_run(addition_id: UUID) -> None:
    """Go on with an addition, from where the last worker ended. No-op while another one is at it."""
    addition = _claim(addition_id)
    if addition is None:
        return
    try:
        source = _source(addition)
        ids = source.ids()
        for start in range(addition.seen, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            things = source.things(batch)
            with transaction.atomic():
                _add(addition, things)
                addition.seen = start + len(batch)
                addition.lease_until = timezone.now() + _LEASE
                addition.save(update_fields=["seen", "added", "lease_until"])
        _finish(addition, len(ids))
    except ProductError as error:
        _fail(addition, error.detail)
    except (OperationalError, InterfaceError):  # the database was away: another worker goes on
        raise
    except Exception:
        log.exception("Addition %s to a queue cannot go on", addition.pk)
        _fail(addition, f"It could not go on after {addition.seen:,} of {addition.total:,}. Add them again.")


def _fail(addition: QueueAddition, reason: str) -> None:
    addition.status, addition.status_reason = Status.FAILED, reason
    addition.lease_until, addition.finished_at = None, timezone.now()
    addition.save(update_fields=["status", "status_reason", "lease_until", "finished_at"])


def additions_sweep() -> None:
    """Enqueue again what no worker is at; what ends its workers again and again is given up."""
    old = QueueAddition.objects.filter(
        status__in=(Status.PENDING, Status.RUNNING), created_at__lt=timezone.now() - _GIVEN_UP_AFTER
    ).exclude(lease_until__gt=timezone.now())
    for addition in old[:100]:
        _fail(addition, f"No worker could finish it: {addition.seen:,} of {addition.total:,} were looked at.")
    waiting = QueueAddition.objects.filter(status__in=(Status.PENDING, Status.RUNNING)).filter(
        Q(lease_until__lt=timezone.now())
        | Q(lease_until=None, created_at__lt=timezone.now() - timedelta(seconds=30))
    )
    for pk in waiting.values_list("pk", flat=True)[:100]:
        enqueue(ADD_TASK, queue="default", addition_id=str(pk))


def things_add(queue: AnnotationQueue, things: Sequence[Thing]) -> int:
    """Put the things into the queue, in the caller's transaction; returns how many are new.

    What comes to stand before somebody's place in the order is given to them all the same.
    """
    queue = queue_locked(queue.pk, queue.adjudicates_id)
    now = timezone.now()
    known = set(
        QueueItem.objects.filter(
            queue=queue, fingerprint__in=[thing.fingerprint for thing in things]
        ).values_list("fingerprint", flat=True)
    )
    fresh = {thing.fingerprint: thing for thing in things if thing.fingerprint not in known}
    items = [
        QueueItem(
            queue=queue,
            fingerprint=thing.fingerprint,
            content=thing.content,
            happened_at=thing.happened_at,
            uncertainty=thing.uncertainty,
            span_id=thing.span_id,
            result_id=thing.result_id,
            other_result_id=thing.other_result_id,
            feedback_id=thing.feedback_id,
            open_places=queue.annotators_per_item,
            sort_key=_sort_key(queue, thing, (thing.happened_at or now).timestamp() + place * _STEP),
        )
        for place, thing in enumerate(fresh.values())
    ]
    _return_those_behind(queue, items)
    QueueItem.objects.bulk_create(items, batch_size=BATCH)
    return len(items)


def _sort_key(queue: AnnotationQueue, thing: Thing, moment: float) -> float:
    if queue.order == AnnotationQueue.Order.RANDOM:
        return random.random()  # an order, no secret
    if queue.order == AnnotationQueue.Order.UNCERTAIN:
        return -(thing.uncertainty or 0.0)
    return moment


def _return_those_behind(queue: AnnotationQueue, items: list[QueueItem]) -> None:
    """Number the items that come to stand behind where somebody is already."""
    places = QueuePlace.objects.filter(queue=queue, sort_key__isnull=False)
    farthest = places.order_by("-sort_key").values_list("sort_key", flat=True).first()
    if farthest is None:
        return
    behind = [item for item in items if item.sort_key <= farthest]
    for item in sorted(behind, key=lambda item: item.sort_key):
        queue.returns += 1
        item.returned = queue.returns
    if behind:
        queue.save(update_fields=["returns"])


def _add(addition: QueueAddition, things: Sequence[Thing]) -> None:
    addition.added += things_add(addition.queue, things)


def _source(addition: QueueAddition) -> Source:
    queue = addition.queue
    return source_read(queue.project, queue, addition.source, seed=str(addition.pk))


def _claim(addition_id: UUID) -> QueueAddition | None:
    with transaction.atomic():
        addition = (
            QueueAddition.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
            .filter(pk=addition_id, status__in=(Status.PENDING, Status.RUNNING))
            .first()
        )
        now = timezone.now()
        if addition is None or (addition.lease_until and addition.lease_until > now):
            return None
        addition.status, addition.lease_until = Status.RUNNING, now + _LEASE
        addition.save(update_fields=["status", "lease_until"])
    return QueueAddition.objects.select_related("queue__project").get(pk=addition_id)


def _finish(addition: QueueAddition, total: int) -> None:
    addition.status, addition.seen, addition.total = Status.COMPLETED, total, total
    addition.lease_until, addition.finished_at = None, timezone.now()
    addition.save()
