"""What the labelling page begins with: one JSON object that its script reads."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.core.views import ProjectRequest
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import FormField, read_form

_ANY_ID = UUID(int=0)
#: By the name under which static/js/labelling knows them; these take the queue's slug.
OF_QUEUE = {
    "page": "feedback:queue-label",
    "who": "feedback:queue-label-who",
    "next": "feedback:queue-next",
    "mine": "feedback:queue-mine",
}
#: These take an annotation's id, which stands as {id}.
OF_ANNOTATION = {
    "keep": "feedback:annotation-keep",
    "alive": "feedback:annotation-alive",
    "submit": "feedback:annotation-submit",
    "skip": "feedback:annotation-skip",
    "reopen": "feedback:annotation-reopen",
    "release": "feedback:annotation-release",
}


def boot_of(*, request: ProjectRequest, queue: AnnotationQueue) -> dict[str, Any]:
    """Everything the page's script needs to begin; static/js/labelling.js says what each part is."""
    return {
        "user": str(request.user.pk),
        "project": request.project.slug,
        "queue": {
            "slug": queue.slug,
            "name": queue.name,
            "kind": queue.kind,
            "instructions": queue.instructions,
            "archived": queue.archived_at is not None,
        },
        "form": [_field_as_json(one) for one in read_form(queue.form)],
        "urls": addresses_of(request.project.slug, queue.slug),
    }


def _field_as_json(one: FormField) -> dict[str, Any]:
    """A field as it is drawn: a scale with its steps, which a form need not name."""
    drawn = one.as_json()
    if one.kind == "scale":
        drawn["steps"] = list(one.steps)
    return drawn


def addresses_of(project_slug: str, slug: str) -> dict[str, str]:
    of_queue = {name: reverse(route, args=(project_slug, slug)) for name, route in OF_QUEUE.items()}
    of_annotation = {
        name: reverse(route, args=(project_slug, _ANY_ID)).replace(str(_ANY_ID), "{id}")
        for name, route in OF_ANNOTATION.items()
    }
    queues = reverse("feedback:queue-list", args=(project_slug,))
    return {**of_queue, **of_annotation, "queues": queues}
