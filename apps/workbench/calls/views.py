"""Running columns of the page, following and stopping their calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.selectors import membership_of
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.bodies import json_body
from apps.workbench.calls import selectors
from apps.workbench.calls.following import begins_at, follow, refuse_too_many
from apps.workbench.calls.presenting import call_as_json
from apps.workbench.calls.services import call_stop, run_start
from apps.workbench.calls.stream import Page


@project_view(Role.EDITOR)
@require_POST
def run(request: ProjectRequest, slug: str) -> JsonResponse:
    """{"page", "columns": [{"id", "typed", "base"}], "values", "keep"?, "batch"?} → {"batch", "calls"}."""
    prompt = prompt_get(project=request.project, slug=slug)
    body = json_body(request)
    values = body.get("values")
    calls = run_start(
        project=request.project,
        by=request.actor,
        prompt=prompt,
        page=_uuid(body, "page"),
        columns=body.get("columns"),
        values=values if isinstance(values, dict) else {},
        keep=body.get("keep") is True,
        batch=_uuid(body, "batch") if body.get("batch") else None,
    )
    shown = [call_as_json(call) for call in calls]
    return JsonResponse({"batch": shown[0]["batch"], "calls": shown}, status=202)


@project_view(Role.VIEWER)
@require_safe
def calls(request: ProjectRequest, slug: str) -> JsonResponse:
    """?page= the calls of this person's page, oldest first, as the database has them now."""
    prompt = prompt_get(project=request.project, slug=slug)
    page = _uuid(request.GET, "page")
    found = selectors.calls_of_page(prompt=prompt, by=request.actor, page=page)
    return JsonResponse({"calls": [call_as_json(call) for call in found]})


@project_view(Role.VIEWER)
@require_safe
def call(request: ProjectRequest, call_id: UUID) -> JsonResponse:
    return JsonResponse(call_as_json(selectors.call_get(project=request.project, id=call_id), whole=True))


@project_view(Role.EDITOR)
@require_POST
def stop(request: ProjectRequest, call_id: UUID) -> JsonResponse:
    found = selectors.call_get(project=request.project, id=call_id)
    return JsonResponse(call_as_json(call_stop(call=found)), status=202)


@project_view(Role.VIEWER)
@require_safe
def stream(request: ProjectRequest, slug: str) -> HttpResponseBase:
    """?page= its events as server-sent events, from `Last-Event-ID` on. Nobody follows another's page."""
    prompt_get(project=request.project, slug=slug)
    page = Page.of_actor(project=request.project, by=request.actor, page=_uuid(request.GET, "page"))
    refuse_too_many(page.owner)
    response = StreamingHttpResponse(
        follow(
            page,
            after=begins_at(request.headers.get("Last-Event-ID") or request.GET.get("after", "")),
            allowed=_still_allowed(request),
        ),
        content_type="text/event-stream",
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _still_allowed(request: ProjectRequest) -> Callable[[], bool]:
    user, slug, session = request.user, request.project.slug, request.session

    def allowed() -> bool:
        user.refresh_from_db(fields=["is_active", "is_superuser"])
        signed_in = session.session_key is not None and session.exists(session.session_key)
        return signed_in and user.is_active and membership_of(user=user, project_slug=slug) is not None

    return allowed


def _uuid(values: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(str(values.get(name)))
    except ValueError:
        text = f"“{name}” must be a UUID. Reload the page."
        raise InvalidInput(text, fields={name: [text]}) from None
