"""Fifty annotators at once on one queue, some of whom vanish: nothing doubled, lost, stranded or too much."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.claiming import annotation_submit, next_item
from apps.feedback.queues.leases import leases_sweep
from tests.factories.core import make_project
from tests.factories.feedback import make_queue

ANNOTATORS = 50
ITEMS = 500
PER_ITEM = 2
#: One claim in so many ends with a browser that vanishes.
VANISH = 15
State = Annotation.State


def fill(queue: AnnotationQueue, items: int) -> None:
    QueueItem.objects.bulk_create(
        [
            QueueItem(
                queue=queue,
                fingerprint=f"{number}",
                content={"messages": [], "answers": [{"text": f"Answer {number}"}]},
                sort_key=float(number),
                open_places=queue.annotators_per_item,
            )
            for number in range(items)
        ],
        batch_size=1_000,
    )


def work_off(queue: AnnotationQueue, annotators: int, *, vanish: int) -> Counter[str]:
    """All annotators work until there is nothing for them; what each of them did is counted.

    Who vanishes holds an item of which the lease has run out, and comes back as somebody new.
    """
    barrier = Barrier(annotators)

    def annotate(number: int) -> Counter[str]:
        drawn, did, lives = random.Random(number), Counter[str](), 0
        barrier.wait(timeout=60)
        try:
            while (given := next_item(queue=queue, rater=f"user:{number}.{lives}", user=None)) is not None:
                annotation = given.annotation
                if vanish and drawn.randrange(vanish) == 0:
                    long_ago = timezone.now() - timedelta(seconds=1)
                    Annotation.objects.filter(pk=annotation.pk).update(lease_until=long_ago)
                    lives += 1
                    did["vanished"] += 1
                    continue
                sent: dict[str, Any] = {
                    "annotation_id": annotation.pk,
                    "rater": annotation.rater,
                    "lease": annotation.lease,
                    "submit_id": uuid4(),
                    "values": {"thumb": drawn.choice(("up", "down"))},
                    "active_ms": 1_500,
                }
                did[annotation_submit(**sent).state] += 1
                if drawn.randrange(10) == 0:  # the answer was lost on its way, so the browser sends again
                    assert annotation_submit(**sent).annotation.pk == annotation.pk
                    did["sent twice"] += 1
        finally:
            connection.close()
        return did

    with ThreadPoolExecutor(annotators) as pool:
        return sum(pool.map(annotate, range(annotators)), Counter[str]())


def check_nothing_is_wrong(queue: AnnotationQueue, did: Counter[str], items: int, per_item: int) -> None:
    submitted = Annotation.objects.filter(queue=queue, state=State.SUBMITTED)
    by_item = Counter(submitted.values_list("item_id", flat=True))
    assert len(by_item) == items  # none lost, none stranded
    assert set(by_item.values()) == {per_item}  # never more than asked for
    assert did["submitted"] == submitted.count() == items * per_item
    assert not submitted.exclude(revision=1).exists()  # what was sent twice came in once
    assert not Annotation.objects.filter(queue=queue, state=State.CLAIMED).exists()
    pairs = Annotation.objects.filter(queue=queue).values_list("item_id", "rater")
    assert len(set(pairs)) == len(pairs)  # nobody got an item twice
    left = QueueItem.objects.filter(queue=queue)
    assert not left.exclude(open_places=0, submitted=per_item).exists()
    assert not left.filter(status=QueueItem.Status.OPEN).exists()
    queue.refresh_from_db()
    assert (queue.item_count, queue.done_count, queue.submitted_count) == (items, items, items * per_item)
    assert queue.disputed_count == left.filter(status=QueueItem.Status.DISPUTED).count()


@pytest.mark.django_db(transaction=True)
def test_fifty_annotators_at_once_double_lose_and_strand_nothing() -> None:
    queue = make_queue(make_project(), annotators_per_item=PER_ITEM)
    fill(queue, ITEMS)
    did = work_off(queue, ANNOTATORS, vanish=VANISH)
    assert did["vanished"] > 30
    assert did["sent twice"] > 30
    # Whoever vanished last left something behind: it is released, and given to who comes next.
    leases_sweep()
    did += work_off(queue, 2, vanish=0)
    check_nothing_is_wrong(queue, did, ITEMS, PER_ITEM)
    assert did["surplus"] == 0
