"""Saving a version from the page, and moving a label to one."""

from __future__ import annotations

from typing import Any

from django.http import JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt
from apps.prompts.selectors import label_list, prompt_get, protected_labels, version_get, version_numbers
from apps.prompts.typed import typed_of
from apps.workbench.bodies import json_body
from apps.workbench.saving import MAX_LABELS, version_save


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def save(request: ProjectRequest, slug: str) -> JsonResponse:
    """POST {typed, note, parent, labels} → 201 {number, url, labels, typed}. GET: what a save could move,
    {"latest": number or null, "labels": [{"name", "number", "may_move"}], "protected": [names]}."""
    prompt = prompt_get(project=request.project, slug=slug)
    if request.method != "POST":
        return JsonResponse(_what_can_move(prompt, request))
    body = json_body(request)
    version = version_save(
        prompt=prompt,
        by=request.actor,
        typed=body.get("typed"),
        note=_text(body, "note"),
        parent=_number(body, "parent"),
        labels=_labels(body),
    )
    answer = {
        "number": version.number,
        "url": reverse("prompts:version", args=[request.project.slug, slug, version.number]),
        "labels": sorted(label.name for label in version.labels.all()),
        "typed": typed_of(version),
    }
    return JsonResponse(answer, status=201)


def _what_can_move(prompt: Prompt, request: ProjectRequest) -> dict[str, Any]:
    """Labels in order; those of the protected that this person may not move are named too."""
    protected = protected_labels(project=request.project)
    is_approver = request.actor.may(Role.APPROVER)
    numbers = version_numbers(prompt=prompt)
    labels = [
        {
            "name": label.name,
            "number": label.version.number,
            "may_move": is_approver or label.name not in protected,
        }
        for label in label_list(prompt=prompt)
    ]
    return {"latest": numbers[0] if numbers else None, "labels": labels, "protected": sorted(protected)}


@project_view(Role.EDITOR)
@require_POST
def label_move(request: ProjectRequest, slug: str) -> JsonResponse:
    """{label, number, reason} → {label, number}."""
    prompt = prompt_get(project=request.project, slug=slug)
    body = json_body(request)
    version = version_get(prompt=prompt, version=_number(body, "number") or 0)
    label = label_set(
        prompt=prompt,
        by=request.actor,
        name=_text(body, "label"),
        version=version,
        reason=_text(body, "reason"),
    )
    return JsonResponse({"label": label.name, "number": version.number})


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{name} has to be a text.", fields={name: ["Give a text."]})
    return value


def _number(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise InvalidInput(f"{name} has to be a version's number.", fields={name: ["Give a number."]})
    return value


def _labels(body: dict[str, Any]) -> list[str]:
    names = body.get("labels") or []
    if not isinstance(names, list) or len(names) > MAX_LABELS or not all(isinstance(n, str) for n in names):
        raise InvalidInput(
            f"labels has to be a list of at most {MAX_LABELS} names.", fields={"labels": ["Give names."]}
        )
    return names
