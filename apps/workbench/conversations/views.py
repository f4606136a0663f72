"""Conversations of a prompt: their list, one with its turns, going on, taking back, keeping as an example."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.asked import asked_number, asked_text, asked_texts, asked_uuid
from apps.workbench.bodies import json_body
from apps.workbench.conversations import services, turns
from apps.workbench.conversations.presenting import conversation_as_json, summary_line
from apps.workbench.conversations.saving import conversation_save
from apps.workbench.models import Conversation


@project_view(Role.VIEWER)
@require_safe
def conversations(request: ProjectRequest, slug: str) -> JsonResponse:
    """The newest conversations in which something was said."""
    found = services.conversations_of(prompt=prompt_get(project=request.project, slug=slug))
    return JsonResponse({"conversations": [{**summary_line(c), "turns": turns} for c, turns in found]})


@project_view(Role.EDITOR)
@require_POST
def conversation_new(request: ProjectRequest, slug: str) -> JsonResponse:
    """{"policy"?, "keep_last"?, "window"?, "summary_model"?} → the conversation, without turns."""
    prompt = prompt_get(project=request.project, slug=slug)
    made = services.conversation_create(
        project=request.project, prompt=prompt, by=request.actor, settings=json_body(request)
    )
    return JsonResponse(conversation_as_json(made), status=201)


@project_view(Role.VIEWER)
@require_safe
def conversation(request: ProjectRequest, conversation_id: UUID) -> JsonResponse:
    return JsonResponse(conversation_as_json(_found(request, conversation_id)))


@project_view(Role.EDITOR)
@require_POST
def conversation_settings(request: ProjectRequest, conversation_id: UUID) -> JsonResponse:
    """{"policy"?, "keep_last"?, "window"?, "summary_model"?, "title"?} → the conversation."""
    found = _found(request, conversation_id)
    changed = services.conversation_change(conversation=found, settings=json_body(request))
    return JsonResponse(conversation_as_json(changed))


@project_view(Role.EDITOR)
@require_http_methods(["POST", "DELETE"])
def turns_view(request: ProjectRequest, conversation_id: UUID) -> HttpResponse:
    """POST {"page", "column": {"id", "typed", "base"}, "values", "revision", "text"?, "tool_answers"?,
    "cut"?, "keep"?} → the conversation, with the turn whose answer is coming. DELETE {"revision", "cut"}."""
    found = _found(request, conversation_id)
    body = json_body(request)
    revision = asked_number(body, "revision")
    if request.method == "DELETE":
        turns.turns_cut(conversation=found, revision=revision, position=asked_number(body, "cut"))
        return JsonResponse(conversation_as_json(_found(request, conversation_id)))
    column, values = body.get("column"), body.get("values")
    turns.turn_add(
        conversation=found,
        by=request.actor,
        revision=revision,
        said=turns.Said(
            text=asked_text(body, "text"),
            tool_answers=asked_texts(body, "tool_answers"),
            cut=None if body.get("cut") is None else asked_number(body, "cut"),
        ),
        asked=turns.Asked(
            column=column if isinstance(column, dict) else {},
            values=values if isinstance(values, dict) else {},
            page=str(asked_uuid(body, "page")),
            keep=body.get("keep") is True,
        ),
    )
    return JsonResponse(conversation_as_json(_found(request, conversation_id)), status=202)


@project_view(Role.EDITOR)
@require_POST
def conversation_example(request: ProjectRequest, conversation_id: UUID) -> JsonResponse:
    """{"dataset"} or {"new_dataset"}, {"reference"?} → where the example is now."""
    body = json_body(request)
    saved = conversation_save(
        conversation=_found(request, conversation_id),
        by=request.actor,
        dataset=asked_text(body, "dataset"),
        new_dataset=asked_text(body, "new_dataset"),
        reference=None if body.get("reference") is None else asked_text(body, "reference"),
    )
    place = [request.project.slug, saved.dataset.slug, saved.example.pk]
    return JsonResponse(
        {
            "dataset": {"slug": saved.dataset.slug, "name": saved.dataset.name, "version": saved.version},
            "url": reverse("datasets:example", args=place),
        },
        status=201,
    )


def _found(request: ProjectRequest, conversation_id: UUID) -> Conversation:
    return services.conversation_get(project=request.project, id=conversation_id)
