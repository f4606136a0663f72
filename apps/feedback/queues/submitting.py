"""What an annotator does with an item in their hands: keep, submit, skip, undo, leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.locks import again_after_deadlock
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues import settling
from apps.feedback.queues.errors import AlreadySubmitted, AnnotationNotFound, LeaseLost, PlacesTaken, Settled
from apps.feedback.queues.form import check_values, read_form
from apps.feedback.queues.leases import (
    LEASE,
    count_for,
    give_up,
    hold,
    place_take,
    places_recount,
    queue_locked,
    remember,
)

LATER, CONFLICT = "later", "conflict"
LONGEST_REASON = 400
#: A day: a page that stands open longer was not being read.
MOST_ACTIVE_MS = 86_400_000
_GONE = "This item was not given to you, or it is gone."
_ELSEWHERE = "This item was opened again in another window or by another sign-in of yours: go on there."

State = Annotation.State
_OF_A_SUBMIT = (
    "state",
    "values",
    "submitted_values",
    "lease_until",
    "submitted_at",
    "changed_at",
    "revision",
    "reason",
    "history",
    "submit_id",
    "active_ms",
)


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submit: "submitted", or "surplus" where others had taken all places meanwhile."""

    annotation: Annotation
    state: str


def annotation_of(annotation_id: UUID, rater: str, *, project_id: UUID | None = None) -> Annotation:
    """The rater's own annotation with its item and queue. Raises AnnotationNotFound, for others' too."""
    found = Annotation.objects.select_related("item", "queue").filter(pk=annotation_id, rater=rater)
    if project_id is not None:
        found = found.filter(queue__project=project_id)
    annotation = found.first()
    if annotation is None:
        raise AnnotationNotFound(_GONE)
    return annotation


def _locked(annotation_id: UUID, rater: str) -> tuple[AnnotationQueue, Annotation]:
    """The annotation as it is while nobody else changes who holds what in its queue."""
    own = Annotation.objects.filter(pk=annotation_id, rater=rater)
    ids = own.values_list("queue_id", "queue__adjudicates_id").first()
    if ids is None:
        raise AnnotationNotFound(_GONE)
    queue = queue_locked(*ids)
    locked = own.select_for_update(no_key=True, of=("self",))  # autosave and heartbeat take no other lock
    annotation = locked.select_related("item").first()
    if annotation is None:
        raise AnnotationNotFound(_GONE)
    return queue, annotation


def annotation_keep(*, annotation_id: UUID, rater: str, lease: UUID, values: object, revision: int) -> int:
    """Keep what is typed so far; returns the revision that it has now.

    `revision` is the page's own count; what comes later than a newer one is left out. Raises LeaseLost.
    """
    annotation = annotation_of(annotation_id, rater)
    kept = check_values(read_form(annotation.queue.form), values, partial=True)
    own = Annotation.objects.filter(pk=annotation_id, rater=rater, lease=lease, state=State.CLAIMED)
    now = timezone.now()
    fields = {"values": kept, "revision": revision, "lease_until": now + LEASE, "changed_at": now}
    if own.filter(revision__lt=revision).update(**fields):
        return revision
    newer = own.values_list("revision", flat=True).first()
    if newer is None:
        raise LeaseLost(_ELSEWHERE)
    return newer


def annotation_heartbeat(*, annotation_id: UUID, rater: str, lease: UUID) -> datetime:
    """A sign of life: the lease runs from now. Raises LeaseLost when it is not held any more."""
    until = timezone.now() + LEASE
    own = Annotation.objects.filter(pk=annotation_id, rater=rater, lease=lease, state=State.CLAIMED)
    if not own.update(lease_until=until):
        raise LeaseLost("This item is not held any more: it was left for too long, or is open elsewhere.")
    return until


@again_after_deadlock
def annotation_submit(
    *,
    annotation_id: UUID,
    rater: str,
    lease: UUID,
    submit_id: UUID,
    values: object,
    active_ms: int = 0,
) -> Submitted:
    """Send the answers. The same `submit_id` again changes nothing and is answered the same.

    What comes after the lease ran out counts while a place is open, and is kept as surplus else. Raises
    InvalidInput by field, LeaseLost, AlreadySubmitted.
    """
    with transaction.atomic():
        queue, annotation = _locked(annotation_id, rater)
        if annotation.submit_id == submit_id and annotation.state in (State.SUBMITTED, State.SURPLUS):
            return Submitted(annotation, annotation.state)
        _check_open(annotation, lease)
        kept = check_values(read_form(queue.form), values)
        annotation.submit_id = submit_id
        annotation.active_ms = min(MOST_ACTIVE_MS, annotation.active_ms + max(0, active_ms))
        return submit(queue, annotation, kept)


def _check_open(annotation: Annotation, lease: UUID) -> None:
    if annotation.state in (State.SUBMITTED, State.SURPLUS):
        raise AlreadySubmitted("This item was submitted from another window since; that is what counts.")
    if annotation.lease != lease or annotation.state == State.CONFLICT:
        raise LeaseLost(_ELSEWHERE)


def submit(queue: AnnotationQueue, annotation: Annotation, values: Mapping[str, Any]) -> Submitted:
    """Submit an annotation that is not submitted, with values that are checked. Under the queue's lock."""
    item, now = annotation.item, timezone.now()
    held = annotation.state == State.CLAIMED
    counts = item.gold is not None or held or item.open_places > 0
    annotation.state = State.SUBMITTED if counts else State.SURPLUS
    annotation.values = dict(values)
    annotation.submitted_values = annotation.lease_until = None
    annotation.submitted_at = annotation.changed_at = now
    annotation.revision += 1
    annotation.reason = ""
    remember(annotation, annotation.state, values=annotation.values)
    annotation.save(update_fields=_OF_A_SUBMIT)
    if not counts or item.gold is not None:
        return Submitted(annotation, annotation.state)
    if not held:
        place_take(item)
    item.submitted += 1
    count_for(annotation, 1)
    settling.counted(queue, item, annotation)
    return Submitted(annotation, annotation.state)


@again_after_deadlock
def annotation_skip(
    *, annotation_id: UUID, rater: str, lease: UUID, kind: str = LATER, reason: str = ""
) -> Annotation:
    """Put the item aside: for later, or for good because the annotator knows it ("conflict").

    Its place is free for others at once. Raises LeaseLost, InvalidInput.
    """
    if kind not in (LATER, CONFLICT):
        text = f"An item is skipped for “{LATER}”, or because of a “{CONFLICT}”."
        raise InvalidInput(text, fields={"kind": [text]})
    if len(reason) > LONGEST_REASON:
        text = f"A reason has at most {LONGEST_REASON} characters."
        raise InvalidInput(text, fields={"reason": [text]})
    with transaction.atomic():
        queue, annotation = _locked(annotation_id, rater)
        state = State.SKIPPED if kind == LATER else State.CONFLICT
        if annotation.state == state and annotation.lease == lease:
            return annotation
        if annotation.state not in (State.CLAIMED, State.EXPIRED) or annotation.lease != lease:
            raise LeaseLost(_ELSEWHERE)
        annotation.state, annotation.reason = state, reason.strip()
        annotation.lease_until = annotation.submitted_values = None
        annotation.changed_at = timezone.now()
        remember(annotation, str(state), reason=annotation.reason)
        annotation.save()
        places_recount(queue, annotation.item)
    return annotation


@again_after_deadlock
def annotation_reopen(*, annotation_id: UUID, rater: str) -> Annotation:
    """Take the item up again: to undo what was just done with it, or to change it later.

    What was submitted counts no more until it is submitted again, or the new lease runs out. Raises Settled,
    and PlacesTaken where others have filled the place meanwhile.
    """
    with transaction.atomic():
        queue, annotation = _locked(annotation_id, rater)
        item = annotation.item
        if item.status == QueueItem.Status.SETTLED and item.disputed_id is None:
            raise Settled("An adjudicator has settled this item: its answers do not change any more.")
        was = annotation.state
        if was not in (State.SUBMITTED, State.CLAIMED) and item.gold is None and item.open_places < 1:
            raise PlacesTaken("Others have judged this item meanwhile. Yours is kept, and counts no more.")
        if was != State.CLAIMED:
            remember(annotation, "reopened")
        if was == State.SUBMITTED:
            annotation.submitted_values = annotation.values
        hold(annotation)
        annotation.save()
        _place_again(queue, annotation, was)
    return annotation


def _place_again(queue: AnnotationQueue, annotation: Annotation, was: str) -> None:
    item = annotation.item
    if item.gold is not None or was == State.CLAIMED:
        return
    if was != State.SUBMITTED:
        place_take(item)
        return
    item.submitted -= 1  # the place stays taken
    count_for(annotation, -1)
    settling.uncounted(queue, item, annotation)


@again_after_deadlock
def annotation_release(*, annotation_id: UUID, rater: str, lease: UUID) -> None:
    """The annotator leaves: somebody else may have the item. No-op where the lease is held no more."""
    with transaction.atomic():
        queue, annotation = _locked(annotation_id, rater)
        if annotation.state == State.CLAIMED and annotation.lease == lease:
            give_up(queue, annotation, "left")
