"""A small chat with what the project has in production, to try the way of feedback from end to end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.chat.asking import (
    chat_of,
    prompts_to_chat_with,
    turn_as_json,
    turn_of,
    turn_start,
)
from apps.feedback.completing.services import completion_events
from apps.feedback.completing.waiting import refuse_too_many
from apps.prompts.models import Prompt
from apps.prompts.selectors import prompt_get
from apps.workbench.bodies import json_body
from apps.workbench.calls.services import call_stop
from apps.workbench.models import Call

_NOBODY = UUID(int=0)


@project_view(Role.EDITOR)
@require_safe
def chat_list(request: ProjectRequest) -> HttpResponse:
    page = keyset(prompts_to_chat_with(request.project), request, order="name")
    return render(request, "feedback/chat_list.html", {"page": page})


@project_view(Role.EDITOR)
@require_safe
def chat(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = prompt_get(project=request.project, slug=slug)
    found = chat_of(prompt)
    context = {"prompt": prompt, "chat": found, "boot": _boot(request, prompt)}
    return render(request, "feedback/chat.html", context)


@project_view(Role.EDITOR)
@require_POST
def chat_turn(request: ProjectRequest, slug: str) -> HttpResponseBase:
    """{"text", "history": [{"role", "content"}], "values", "session"} → lines of JSON: {"type": "started",
    "id"}, {"type": "text", "text"} …, then the end as `completion_events` tells it."""
    prompt = prompt_get(project=request.project, slug=slug)
    refuse_too_many(f"{request.actor.kind}:{request.actor.id}")
    body = json_body(request)
    values = body.get("values")
    call = turn_start(
        prompt=prompt,
        by=request.actor,
        text=str(body.get("text") or ""),
        history=body.get("history"),
        values=values if isinstance(values, dict) else {},
        session=str(body.get("session") or ""),
    )
    response = StreamingHttpResponse(_lines(call), content_type="application/x-ndjson")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(call: Call) -> AsyncIterator[bytes]:
    yield _line({"type": "started", "id": str(call.pk)})
    try:
        async for event in completion_events(call):
            yield _line(event)
    except ProductError as error:  # the answer goes on: the page asks for it by its id
        yield _line({"type": "waiting", "detail": error.detail})


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, default=str).encode("utf-8", "replace") + b"\n"


@project_view(Role.EDITOR)
@require_safe
def chat_answer(request: ProjectRequest, call_id: UUID) -> JsonResponse:
    """An answer by its id, for a page that lost its stream or was loaded anew."""
    return JsonResponse(turn_as_json(turn_of(project=request.project, by=request.actor, call_id=call_id)))


@project_view(Role.EDITOR)
@require_POST
def chat_stop(request: ProjectRequest, call_id: UUID) -> JsonResponse:
    call = call_stop(call=turn_of(project=request.project, by=request.actor, call_id=call_id))
    return JsonResponse(turn_as_json(call), status=202)


def _boot(request: ProjectRequest, prompt: Prompt) -> dict[str, str]:
    """Where the page's script asks. It puts the answer's id in place of zeros."""
    project = request.project.slug
    return {
        "key": f"chat:{project}:{prompt.pk}:{request.user.pk}",
        "turn": reverse("feedback:chat-turn", args=[project, prompt.slug]),
        "answer": reverse("feedback:chat-answer", args=[project, _NOBODY]),
        "stop": reverse("feedback:chat-stop", args=[project, _NOBODY]),
    }
