"""Making and reading what a queue's annotations say of each other."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from apps.feedback.agreement.annotators import raters_figures
from apps.feedback.agreement.by_field import fields_figures
from apps.feedback.agreement.keeping import FiguresState, figures_ask, figures_keep, figures_state
from apps.feedback.agreement.loading import answers_load
from apps.feedback.agreement.ranking import ranking_figures
from apps.feedback.models import AnnotationChange, AnnotationQueue, QueueFigures
from apps.feedback.queues.form import read_form

TASK = "worker.feedback.make_agreement"
#: Raised when the figures themselves change, so that those kept are made again.
EDITION = 1
NOTHING = FiguresState(None, "", waiting=False, stale=False)


def queue_agreement(queue: AnnotationQueue) -> FiguresState:
    """The kept figures of a queue; a worker is asked for them where its annotations have changed since.

    Two or three short queries, however many items and annotations there are. Without any annotation there
    is nothing to make.
    """
    newest = list(_changes(queue).values_list("id", flat=True)[:2])
    if not newest:
        return NOTHING
    kept = QueueFigures.objects.filter(queue=queue).first()
    # More than one change: some came after the figures, even if the newest was there before them.
    found = figures_state(kept, _made_of(queue, newest[0]) if len(newest) == 1 else "")
    if found.waiting:
        if kept is None:
            QueueFigures.objects.get_or_create(queue=queue)
        figures_ask(QueueFigures.objects.filter(queue=queue), TASK, queue_id=str(queue.pk))
    return found


def queue_figures_make(queue_id: UUID) -> None:
    """Make the figures of a queue, unless they are of this very state. Safe to call twice."""
    queue = AnnotationQueue.objects.filter(pk=queue_id).first()
    if queue is None:
        return
    seen = list(_changes(queue).values_list("id", flat=True))
    if not seen:
        return
    kept, _ = QueueFigures.objects.get_or_create(queue=queue)
    made_of = _made_of(queue, seen[0])
    if len(seen) == 1 and kept.made_of == made_of and not kept.error:
        QueueFigures.objects.filter(queue=queue).update(asked_at=None)
        return
    figures_keep(kept, made_of, lambda: _figures(queue))
    # What was written before an older one has come meanwhile stays, and says that there is more to see.
    AnnotationChange.objects.filter(queue=queue, id__in=seen[1:]).delete()


def _figures(queue: AnnotationQueue) -> dict[str, Any]:
    form = read_form(queue.form)
    answers = answers_load(queue, form)
    pairs = queue.kind == AnnotationQueue.Kind.PAIR
    return {
        "items": len(answers.items),
        "annotators": len(answers.raters),
        "annotations": int(answers.item.size),
        "fields": fields_figures(answers, form),
        "raters": raters_figures(queue, answers, form),
        "alike_by": next((one.label for one in form if one.judged), ""),
        "ranking": ranking_figures(queue, answers) if pairs else None,
    }


def _changes(queue: AnnotationQueue) -> Any:
    return AnnotationChange.objects.filter(queue=queue).order_by("-id")


def _made_of(queue: AnnotationQueue, newest: int) -> str:
    form = json.dumps(queue.form, sort_keys=True)
    return hashlib.sha256(f"{EDITION}|{newest}|{form}".encode()).hexdigest()
