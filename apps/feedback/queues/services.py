"""Making and changing queues. What changes which items are given to whom happens under the queue's lock."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.locks import transaction_lock
from apps.core.models import Project
from apps.core.slugs import unique_slug
from apps.feedback.models import AnnotationQueue, QueueItem
from apps.feedback.queues.errors import QueueArchived
from apps.feedback.queues.form import FormField, check_form, read_form
from apps.feedback.queues.leases import queue_locked
from apps.feedback.queues.ordering import order_anew, places_anew
from apps.feedback.queues.settling import send_to_adjudication

#: Addresses that a queue's would hide.
_RESERVED = ("new", "add", "annotations", "import-pairs")
LONGEST_INSTRUCTIONS = 20_000
MOST_ANNOTATORS = 5
MOST_GOLD = 50
_BATCH = 1_000
_TOLD = ("name", "instructions", "annotators_per_item", "order", "gold_percent")


def queue_create(
    *,
    project: Project,
    by: Actor,
    name: str,
    form: list[dict[str, Any]],
    kind: str = AnnotationQueue.Kind.SINGLE,
    instructions: str = "",
    annotators_per_item: int = 1,
    order: str = AnnotationQueue.Order.OLDEST,
    gold_percent: int = 0,
) -> AnnotationQueue:
    """A queue without items. Raises InvalidInput by field."""
    if kind not in AnnotationQueue.Kind.values:
        raise _invalid("kind", f"A queue's kind is one of {', '.join(AnnotationQueue.Kind.values)}.")
    fields = check_form(form, pair=kind == AnnotationQueue.Kind.PAIR)
    settings = _checked(
        name=name,
        instructions=instructions,
        annotators_per_item=annotators_per_item,
        order=order,
        gold_percent=gold_percent,
    )
    with transaction.atomic():
        queue = _insert(project, by, kind, fields, settings)
        audit(by, "annotation_queue.create", queue, project=project, after=_told(queue))
    return queue


def _insert(
    project: Project,
    by: Actor,
    kind: str,
    fields: tuple[FormField, ...],
    settings: dict[str, Any],
    **more: Any,
) -> AnnotationQueue:
    transaction_lock(f"queue slugs of {project.pk}")
    slug = unique_slug(AnnotationQueue.objects.filter(project=project), settings["name"])
    if slug in _RESERVED:
        slug = unique_slug(AnnotationQueue.objects.filter(project=project), f"queue {slug}")
    return AnnotationQueue.objects.create(
        project=project,
        slug=slug,
        kind=kind,
        form=[field.as_json() for field in fields],
        **settings,
        **more,
        **AnnotationQueue.author_fields(by),
    )


def queue_update(*, queue: AnnotationQueue, by: Actor, **changes: Any) -> AnnotationQueue:
    """Change a queue's settings or form; open places and the order follow.

    A field that has answers keeps its key, kind and options. Raises InvalidInput by field, QueueArchived.
    """
    with transaction.atomic():
        queue = queue_locked(queue.pk, queue.adjudicates_id)
        if queue.archived_at is not None:
            raise QueueArchived(f"“{queue.name}” is archived. Bring it back to change it.")
        before = _told(queue)
        settings = _checked(**{name: changes.get(name, getattr(queue, name)) for name in _TOLD})
        _change_form(queue, changes.get("form", queue.form))
        more_or_fewer = settings["annotators_per_item"] != queue.annotators_per_item
        other_order = settings["order"] != queue.order
        for name, value in settings.items():
            setattr(queue, name, value)
        queue.save(update_fields=[*settings, "form"])
        if more_or_fewer:
            places_anew(queue)
        if other_order:
            order_anew(queue)
        after = _told(queue)
        if after != before:
            audit(by, "annotation_queue.update", queue, project=queue.project, before=before, after=after)
    queue.refresh_from_db()  # the database has counted anew
    return queue


def _change_form(queue: AnnotationQueue, form: object) -> None:
    fields = check_form(form, pair=queue.kind == AnnotationQueue.Kind.PAIR)
    if queue.submitted_count or queue.gold_count:
        now = {field.key: field for field in fields}
        for old in read_form(queue.form):
            new = now.get(old.key)
            if new is None or new.kind != old.kind or not set(old.options) <= set(new.options):
                raise _invalid(
                    "form",
                    f"“{old.label}” has answers: its key, kind and options stay. Add a field instead.",
                )
    queue.form = [field.as_json() for field in fields]


def queue_archive(*, queue: AnnotationQueue, by: Actor, archived: bool = True) -> AnnotationQueue:
    """Give no more of its items, or give them again. What is in somebody's hands may still be submitted."""
    with transaction.atomic():
        queue = queue_locked(queue.pk, queue.adjudicates_id)
        if (queue.archived_at is not None) == archived:
            return queue
        queue.archived_at = timezone.now() if archived else None
        queue.save(update_fields=["archived_at"])
        audit(by, f"annotation_queue.{'archive' if archived else 'restore'}", queue, project=queue.project)
    return queue


def adjudication_create(*, queue: AnnotationQueue, by: Actor) -> AnnotationQueue:
    """The queue in which one annotator settles what this queue's annotators disagree on; all that is disputed
    already goes in. The one that there is, where there is one."""
    with transaction.atomic():
        queue = queue_locked(queue.pk, queue.adjudicates_id)
        existing = AnnotationQueue.objects.filter(adjudicates=queue).first()
        if existing is not None:
            return existing
        if queue.adjudicates_id is not None:
            raise _invalid("queue", "This queue settles another one's disagreements already.")
        settings = {
            "name": f"{queue.name}: adjudication"[:120],
            "instructions": queue.instructions,
            "annotators_per_item": 1,
            "order": AnnotationQueue.Order.OLDEST,
            "gold_percent": 0,
        }
        made = _insert(queue.project, by, queue.kind, read_form(queue.form), settings, adjudicates=queue)
        audit(by, "annotation_queue.create", made, project=queue.project, after=_told(made))
        disputed = QueueItem.objects.filter(queue=queue, status=QueueItem.Status.DISPUTED)
        batch: list[QueueItem] = []
        for item in disputed.iterator(chunk_size=_BATCH):
            batch.append(item)
            if len(batch) == _BATCH:
                send_to_adjudication(batch, queue)
                batch = []
        send_to_adjudication(batch, queue)
    return made


def _checked(
    *, name: object, instructions: object, annotators_per_item: object, order: object, gold_percent: object
) -> dict[str, Any]:
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 120 or "\x00" in name:
        raise _invalid("name", "A queue has a name of at most 120 characters.")
    words = instructions if isinstance(instructions, str) else "\x00"
    if len(words) > LONGEST_INSTRUCTIONS or "\x00" in words:
        raise _invalid("instructions", f"Instructions have at most {LONGEST_INSTRUCTIONS:,} characters.")
    if not _whole(annotators_per_item, 1, MOST_ANNOTATORS):
        raise _invalid("annotators_per_item", f"An item has 1 to {MOST_ANNOTATORS} annotators.")
    if order not in AnnotationQueue.Order.values:
        raise _invalid("order", f"The order is one of {', '.join(AnnotationQueue.Order.values)}.")
    if not _whole(gold_percent, 0, MOST_GOLD):
        raise _invalid("gold_percent", f"Gold items are 0 to {MOST_GOLD} of a hundred.")
    return {
        "name": name.strip(),
        "instructions": words.strip(),
        "annotators_per_item": annotators_per_item,
        "order": order,
        "gold_percent": gold_percent,
    }


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _told(queue: AnnotationQueue) -> dict[str, Any]:
    """The settings as the audit log tells them."""
    told = {name: getattr(queue, name) for name in _TOLD}
    return told | {"form": [f"{field.label} ({field.kind})" for field in read_form(queue.form)]}


def _invalid(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
