"""Reading queues, their items and who works on them. No figure here is counted when it is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, TextField
from django.db.models.expressions import RawSQL

from apps.core.models import Project
from apps.evaluations.raters import rater_names
from apps.feedback.models import Annotation, AnnotationQueue, QueueAddition, QueueItem, QueuePlace
from apps.feedback.queues.errors import ItemNotFound, QueueNotFound

State = Annotation.State
#: An annotator's last items, on one page.
MOST_MINE = 20
#: Annotators that a list of queues names.
MOST_NAMED = 3
BEGINNING_CHARS = 300
_ASKED = "left(feedback_queueitem.content -> 'messages' -> -1 ->> 'content', %s)"
_ANSWERED = "left(feedback_queueitem.content -> 'answers' -> 0 ->> 'text', %s)"
#: What the items' list is narrowed to, besides statuses.
GOLD, SKIPPED, CONFLICTS = "gold", "skipped", "conflicts"


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


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue in a list: what there is for who looks, and who works on it."""

    queue: AnnotationQueue
    progress: QueueProgress
    annotators: int
    named: list[str]


def queue_list(*, project: Project, q: str = "", archived: bool = False) -> QuerySet[AnnotationQueue]:
    """The project's queues; `q` finds text in their names."""
    found = AnnotationQueue.objects.filter(project=project, archived_at__isnull=not archived)
    words = q.replace("\x00", "")[:200].strip()
    return found.filter(name__icontains=words) if words else found


def queue_rows(queues: list[AnnotationQueue], rater: str) -> list[QueueRow]:
    """Three queries, however many queues."""
    places: dict[UUID, list[QueuePlace]] = {queue.pk: [] for queue in queues}
    for place in QueuePlace.objects.filter(queue__in=queues, given__gt=0).order_by("-submitted"):
        places[place.queue_id].append(place)
    first = [place.rater for found in places.values() for place in found[:MOST_NAMED]]
    names = rater_names(first)
    return [
        QueueRow(
            queue=queue,
            progress=progress_of(
                queue, next((place.submitted for place in places[queue.pk] if place.rater == rater), 0)
            ),
            annotators=len(places[queue.pk]),
            named=[names[place.rater] for place in places[queue.pk][:MOST_NAMED]],
        )
        for queue in queues
    ]


def queue_items(*, queue: AnnotationQueue, show: str = "") -> QuerySet[QueueItem]:
    """The items, with the beginnings of what was asked and answered; `show` is a status, or "gold"."""
    found = QueueItem.objects.filter(queue=queue)
    if show == GOLD:
        found = found.filter(gold__isnull=False)
    elif show in QueueItem.Status.values:
        found = found.filter(status=show, gold__isnull=True)
    return found.annotate(
        asked=RawSQL(_ASKED, [BEGINNING_CHARS], TextField()),  # noqa: S611  # our own statement
        answered=RawSQL(_ANSWERED, [BEGINNING_CHARS], TextField()),  # noqa: S611  # our own statement
    ).defer("content")


def put_aside(*, queue: AnnotationQueue, show: str) -> QuerySet[Annotation]:
    """What annotators skipped for later, or know: with their reasons."""
    state = State.SKIPPED if show == SKIPPED else State.CONFLICT
    asked = "left(feedback_queueitem.content -> 'messages' -> -1 ->> 'content', %s)"
    return (
        Annotation.objects.filter(queue=queue, state=state)
        .select_related("item")
        .annotate(asked=RawSQL(asked, [BEGINNING_CHARS], TextField()))  # noqa: S611  # our own statement
        .defer("item__content", "values", "history")
    )


def counts_put_aside(queue: AnnotationQueue) -> dict[str, int]:
    """How many annotations are skipped, and how many are conflicts, now."""
    rows = Annotation.objects.filter(queue=queue, state__in=(State.SKIPPED, State.CONFLICT))
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    return {SKIPPED: counts.get(State.SKIPPED, 0), CONFLICTS: counts.get(State.CONFLICT, 0)}


def item_get(*, project: Project, item_id: UUID, queue: AnnotationQueue | None = None) -> QueueItem:
    """Of any queue of the project, or of `queue`. Raises ItemNotFound."""
    found = QueueItem.objects.select_related("queue__project", "disputed__queue", "feedback").filter(
        pk=item_id, queue__project=project
    )
    item = (found if queue is None else found.filter(queue=queue)).first()
    if item is None:
        raise ItemNotFound("There is no such item in this project's queues.")
    return item


def additions_shown(queue: AnnotationQueue) -> list[QueueAddition]:
    """What was put into the queue last, the newest first."""
    return list(QueueAddition.objects.filter(queue=queue).order_by("-pk")[:5])
