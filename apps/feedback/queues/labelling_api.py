"""JSON for the labelling page: the next item, and what is done with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.raters import rater_of
from apps.feedback.models import Annotation, QueuePlace
from apps.feedback.queues import claiming
from apps.feedback.queues.selectors import my_annotations, queue_get, queue_progress, title_of, why_nothing
from apps.feedback.queues.showing import given_as_json, names_of, values_meant, values_shown
from apps.feedback.queues.submitting import annotation_of
from apps.workbench.bodies import json_body

MAX_BYTES = 1_000_000
MOST_HELD_TOLD = 1_000
_MOST = 2**31 - 1


@project_view(Role.ANNOTATOR)
@require_POST
def queue_next(request: ProjectRequest, slug: str) -> JsonResponse:
    """The next item: one that the annotator holds and has not named in `holding`, else a new one."""
    queue = queue_get(project=request.project, slug=slug)
    rater = rater_of(request.actor)
    holding = _ids(json_body(request, MAX_BYTES).get("holding", []))
    given = claiming.next_item(queue=queue, rater=rater, user=request.user, holding=holding)
    progress = queue_progress(queue, rater).as_json()
    if given is None:
        why = None if holding else why_nothing(queue)
        return JsonResponse({"given": None, "progress": progress, "why": why})
    why = "only_skipped" if given.again else None
    return JsonResponse({"given": given_as_json(queue, given), "progress": progress, "why": why})


@project_view(Role.ANNOTATOR)
@require_http_methods(["PUT"])
def annotation_keep(request: ProjectRequest, annotation_id: UUID) -> JsonResponse:
    body = json_body(request, MAX_BYTES)
    annotation = _own(request, annotation_id)
    revision = claiming.annotation_keep(
        annotation_id=annotation_id,
        rater=annotation.rater,
        lease=_uuid(body, "lease"),
        values=values_meant(annotation.queue, annotation, body.get("values")),
        revision=_number(body, "revision"),
    )
    return JsonResponse({"revision": revision})


@project_view(Role.ANNOTATOR)
@require_POST
def annotation_alive(request: ProjectRequest, annotation_id: UUID) -> JsonResponse:
    annotation = _own(request, annotation_id)
    lease = _uuid(json_body(request, MAX_BYTES), "lease")
    until = claiming.annotation_heartbeat(annotation_id=annotation_id, rater=annotation.rater, lease=lease)
    return JsonResponse({"lease_until": until.isoformat()})


@project_view(Role.ANNOTATOR)
@require_POST
def annotation_submit(request: ProjectRequest, annotation_id: UUID) -> JsonResponse:
    body = json_body(request, MAX_BYTES)
    annotation = _own(request, annotation_id)
    submitted = claiming.annotation_submit(
        annotation_id=annotation_id,
        rater=annotation.rater,
        lease=_uuid(body, "lease"),
        submit_id=_uuid(body, "submit_id"),
        values=values_meant(annotation.queue, annotation, body.get("values")),
        active_ms=_number(body, "active_ms"),
    )
    return JsonResponse(
        {
            "state": submitted.state,
            "revealed": names_of(annotation.queue, annotation.item, annotation),
            "progress": queue_progress(annotation.queue, annotation.rater).as_json(),
        }
    )


@project_view(Role.ANNOTATOR)
@require_POST
def annotation_skip(request: ProjectRequest, annotation_id: UUID) -> JsonResponse:
    body = json_body(request, MAX_BYTES)
    annotation = _own(request, annotation_id)
    skipped = claiming.annotation_skip(
        annotation_id=annotation_id,
        rater=annotation.rater,
        lease=_uuid(body, "lease"),
        kind=str(body.get("kind", "later")),
        reason=str(body.get("reason") or ""),
    )
    progress = queue_progress(annotation.queue, annotation.rater).as_json()
    return JsonResponse({"state": skipped.state, "progress": progress})


@project_view(Role.ANNOTATOR)
@require_POST
def annotation_reopen(request: ProjectRequest, annotation_id: UUID) -> JsonResponse:
    """Undo, or go back: the item again, under a new lease, with what was answered."""
    own = _own(request, annotation_id)
    annotation = claiming.annotation_reopen(annotation_id=annotation_id, rater=own.rater)
    place = QueuePlace.objects.filter(queue=own.queue, rater=own.rater).first()
    given = claiming.Given(annotation, annotation.item, place.given if place else 1)
    return JsonResponse(given_as_json(own.queue, given))


@project_view(Role.ANNOTATOR)
@require_POST
def annotation_release(request: ProjectRequest, annotation_id: UUID) -> HttpResponse:
    """The page is left. A beacon has no headers of its own, so a form will do: the lease and the token."""
    is_json = request.content_type == "application/json"
    body: dict[str, Any] = json_body(request, MAX_BYTES) if is_json else request.POST.dict()
    annotation = _own(request, annotation_id)
    claiming.annotation_release(
        annotation_id=annotation_id, rater=annotation.rater, lease=_uuid(body, "lease")
    )
    return HttpResponse(status=204)


@project_view(Role.ANNOTATOR)
@require_GET
def queue_mine(request: ProjectRequest, slug: str) -> JsonResponse:
    """The annotator's last items, to go back to; `?before=` is the time of the last one that was shown."""
    queue = queue_get(project=request.project, slug=slug)
    rows = my_annotations(queue=queue, rater=rater_of(request.actor), before=_before(request))
    results = [
        {
            "id": str(row.pk),
            "state": row.state,
            "at": row.changed_at.isoformat(),
            "title": title_of(row.item.content),
            "values": values_shown(queue, row, row.values),
            "reason": row.reason,
        }
        for row in rows
    ]
    return JsonResponse({"results": results, "next": results[-1]["at"] if results else None})


def _own(request: ProjectRequest, annotation_id: UUID) -> Annotation:
    return annotation_of(annotation_id, rater_of(request.actor), project_id=request.project.pk)


def _before(request: ProjectRequest) -> datetime | None:
    text = request.GET.get("before", "")
    try:
        moment = parse_datetime(text.replace(" ", "+")) if text else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    if text:
        raise InvalidInput("before has to be a time with its zone.", fields={"before": ["Give a time."]})
    return None


def _ids(raw: object) -> list[UUID]:
    if not isinstance(raw, list) or len(raw) > MOST_HELD_TOLD:
        raise InvalidInput("holding has to be a list of annotations.", fields={"holding": ["Give a list."]})
    return [_as_uuid(one, "holding") for one in raw]


def _uuid(body: dict[str, Any], name: str) -> UUID:
    return _as_uuid(body.get(name), name)


def _as_uuid(value: object, name: str) -> UUID:
    try:
        return UUID(value) if isinstance(value, str) else UUID(int=-1)
    except ValueError as error:
        raise InvalidInput(f"{name} has to be a UUID.", fields={name: ["Give a UUID."]}) from error


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise InvalidInput(f"{name} has to be a whole number.", fields={name: ["Give a whole number."]})
    return int(value)
