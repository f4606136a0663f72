"""What annotators must not see before they have judged: known answers, others' judgements, hidden names.

Who may change the queue sees everything; so does who only looks, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.core.actor import Actor
from apps.core.roles import Role
from apps.evaluations.raters import rater_of
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem

_JUDGED = (Annotation.State.SUBMITTED, Annotation.State.SURPLUS)


def is_blind(actor: Actor) -> bool:
    """Whether the actor is one who judges, and no more."""
    return actor.role == Role.ANNOTATOR


def has_judged(actor: Actor, item: QueueItem) -> bool:
    return item.annotations.filter(rater=rater_of(actor), state__in=_JUDGED).exists()


def without_gold(items: Iterable[QueueItem]) -> None:
    """Gold items look like the others; the rows are not to be saved."""
    for item in items:
        item.gold = None


def without_names(queue: AnnotationQueue, content: dict[str, Any]) -> dict[str, Any]:
    """Of a pair, the answers without whose they are."""
    if queue.kind != AnnotationQueue.Kind.PAIR:
        return content
    kept = [{key: answer[key] for key in ("text", "place") if key in answer} for answer in content["answers"]]
    return {**content, "answers": kept}
