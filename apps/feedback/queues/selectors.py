"""Reading queues, their items and who works on them. No figure here is counted when it is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any

from apps.core.models import Project
from apps.feedback.models import Annotation, AnnotationQueue, QueuePlace
from apps.feedback.queues.errors import QueueNotFound

State = Annotation.State
#: An annotator's last items, on one page.
MOST_MINE = 20


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """`done` of `total` items have all their annotators, gold items aside; `mine` are the annotator's own
    annotations that count; `left` is at most what there still is for them."""

    done: int
    total: int
    mine: int
    left: int

    def as_json(self) -> dict[str, int]:
        return asdict(self)


def queue_get(*, project: Project, slug: str) -> AnnotationQueue:
    """Raises QueueNotFound."""
    queue = AnnotationQueue.objects.filter(project=project, slug=slug).first()
    if queue is None:
        raise QueueNotFound(f"There is no queue “{slug}” in this project.")
    return queue


def queue_progress(queue: AnnotationQueue, rater: str) -> QueueProgress:
    """The queue's figures as they are now, and the annotator's own."""
    queue.refresh_from_db(fields=["done_count", "item_count", "submitted_count", "annotators_per_item"])
    place = QueuePlace.objects.filter(queue=queue, rater=rater).first()
    return progress_of(queue, place.submitted if place else 0)


def progress_of(queue: AnnotationQueue, mine: int) -> QueueProgress:
    wanted = queue.item_count * queue.annotators_per_item - queue.submitted_count
    left = max(0, min(queue.item_count - queue.done_count, queue.item_count - mine, wanted))
    return QueueProgress(queue.done_count, queue.item_count, mine, left)


def why_nothing(queue: AnnotationQueue) -> str:
    """Why there is no item for an annotator who holds none: all is done, or what is open is others'."""
    return "empty" if queue.done_count >= queue.item_count else "all_taken"


def my_annotations(
    *, queue: AnnotationQueue, rater: str, before: datetime | None = None, most: int = MOST_MINE
) -> list[Annotation]:
    """What the annotator did last, newest first; one short walk along an index for each state."""
    found: list[Annotation] = []
    for state in (State.SUBMITTED, State.SURPLUS, State.SKIPPED, State.CONFLICT):
        own = Annotation.objects.filter(queue=queue, rater=rater, state=state).select_related("item")
        if before is not None:
            own = own.filter(changed_at__lt=before)
        found += own.order_by("-changed_at")[:most]
    return nlargest(most, found, key=lambda annotation: annotation.changed_at)


def title_of(content: dict[str, Any], longest: int = 120) -> str:
    """An item in a line: the last message to the model."""
    messages = [one for one in content.get("messages", []) if isinstance(one, dict) and one.get("content")]
    text = str(messages[-1]["content"]) if messages else ""
    if not text and content.get("inputs"):
        text = ", ".join(str(value) for value in content["inputs"].values())
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
