"""The page where a prompt is edited, run, compared and saved."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors
from apps.prompts.diff import flat_parameters, pretty_json
from apps.prompts.models import Prompt
from apps.prompts.typed import typed_of
from apps.workbench.page import boot_of


@project_view(Role.VIEWER)
@require_safe
def workbench(request: ProjectRequest, slug: str) -> HttpResponse:
    """The whole page; ?version= begins from that version, ?call= and ?span= from what was called; ?rows= is
    the dataset that is tried on."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    boot = boot_of(request=request, prompt=prompt)
    is_editor = request.actor.may(Role.EDITOR)
    context = {"prompt": prompt, "boot": boot, "latest": boot["latest"], "is_editor": is_editor}
    if not boot["may_edit"]:
        context |= _to_read(prompt, request.GET.get("version") or selectors.LATEST, boot["latest"])
    return render(request, "workbench/workbench.html", context | {"may_edit": boot["may_edit"]})


def _to_read(prompt: Prompt, asked: str, latest: int | None) -> dict[str, Any]:
    """The version that is shown to those who may not edit."""
    if latest is None:
        return {"shown": None}
    version = selectors.version_get(prompt=prompt, version=asked)
    return {
        "shown": version,
        "parameters": flat_parameters(version.parameters),
        "response_schema": pretty_json(version.response_schema),
    }


@project_view(Role.VIEWER)
@require_safe
def version_typed(request: ProjectRequest, slug: str, number: int) -> JsonResponse:
    """A saved version as it stands in an editor: what a column that shows it holds."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    version = selectors.version_get(prompt=prompt, version=number)
    return JsonResponse({"number": version.number, "typed": typed_of(version)})
