"""A queue of many items, annotators at work on it, and how soon each gets the next item: inside the stack."""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import uuid4

from django.db import connection

from apps.core.models import Project
from apps.feedback.models import Annotation, AnnotationQueue, QueuePlace
from apps.feedback.queues.claiming import next_item
from apps.feedback.queues.ordering import begin_again
from apps.feedback.queues.submitting import annotation_skip, annotation_submit

LOOKS = 200
_FORM = [{"key": "thumb", "label": "Good?", "kind": "thumb", "required": True}]
_ITEMS = """
    INSERT INTO feedback_queueitem
        (id, created_at, queue_id, fingerprint, content, sort_key, open_places, submitted, status,
         uncertainty)
    SELECT gen_random_uuid(), now(), %s, number::text, jsonb_build_object(
            'messages', jsonb_build_array(jsonb_build_object(
                'role', 'user', 'content', 'Question ' || number || ': ' || repeat('what about it? ', 20))),
            'answers', jsonb_build_array(jsonb_build_object(
                'text', repeat('An answer of some length. ', 40), 'name', 'Version 1'))),
        number, %s, 0, 'open', random()
    FROM generate_series(1, %s) number
"""
#: What an annotator leaves who has done the first items, of which all wait for another annotator.
_DONE = """
    INSERT INTO feedback_annotation
        (id, created_at, item_id, queue_id, rater, state, values, shown_first, lease, revision, reason,
         active_ms, changed_at, submitted_at, history)
    SELECT gen_random_uuid(), now(), id, queue_id, %s, 'submitted', '{"thumb": "up"}', 0, gen_random_uuid(),
        1, '', 900, now(), now(), '[]'
    FROM feedback_queueitem WHERE queue_id = %s ORDER BY sort_key LIMIT %s
"""


def make_items(project_slug: str, items: int, *, annotators: int = 2, name: str = "Many") -> AnnotationQueue:
    """A queue with so many items."""
    queue = AnnotationQueue.objects.create(
        project=Project.objects.get(slug=project_slug),
        slug=name.lower(),
        name=name,
        form=_FORM,
        annotators_per_item=annotators,
    )
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, [queue.pk, annotators, items])
    return queue


def passed(queue: AnnotationQueue, rater: str, items: int) -> None:
    """The annotator has done so many; others have not."""
    with connection.cursor() as cursor:
        cursor.execute(_DONE, [rater, queue.pk, items])
        cursor.execute(
            "UPDATE feedback_queueitem SET submitted = 1, open_places = open_places - 1 "
            "WHERE queue_id = %s AND sort_key <= %s",
            [queue.pk, items],
        )
        cursor.execute("ANALYZE")
    last = queue.items.filter(sort_key=items).get()
    QueuePlace.objects.create(
        queue=queue, rater=rater, sort_key=last.sort_key, item_id=last.pk, given=items, submitted=items
    )


def next_times(
    queue: AnnotationQueue, rater: str, looks: int = LOOKS, *, skipping: bool = False
) -> list[float]:
    """Milliseconds until the next item is claimed, each time after the last one is submitted or skipped."""
    times = []
    for _ in range(looks):
        began = time.perf_counter()
        given = next_item(queue=queue, rater=rater, user=None)
        times.append((time.perf_counter() - began) * 1000)
        assert given is not None
        own: dict[str, Any] = {
            "annotation_id": given.annotation.pk,
            "rater": rater,
            "lease": given.annotation.lease,
        }
        if skipping:
            annotation_skip(**own, reason="Later")
        else:
            annotation_submit(**own, submit_id=uuid4(), values={"thumb": "up"})
    return times


def measured(project_slug: str, items: int) -> list[dict[str, Any]]:
    """How soon the next item is there, by where the annotator stands."""
    queue = make_items(project_slug, items)
    half = items // 2
    far, skips = "user:far", "user:skips"
    passed(queue, far, half)
    found = [_told("a new annotator", next_times(queue, "user:new"))]
    found.append(_told(f"who has passed {half:,} items that are open to others", next_times(queue, far)))
    begin_again(queue)
    found.append(_told("the same, once the queue's order was changed", next_times(queue, far, 1)))
    found.append(_told("and then", next_times(queue, far, 50)))
    next_times(queue, skips, 500, skipping=True)
    found.append(_told("who has skipped 500", next_times(queue, skips)))
    found.append(_told("a new annotator, after these 500 came free again", next_times(queue, "user:newer")))
    assert not Annotation.objects.filter(queue=queue, state=Annotation.State.CLAIMED).exists()
    return found


def _told(who: str, times: list[float]) -> dict[str, Any]:
    return {"who": who, "median_ms": statistics.median(times), "worst_ms": max(times)}
