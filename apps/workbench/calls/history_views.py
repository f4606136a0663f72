"""The history of a prompt's calls, and the page of one."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.calls.errors import CallNotFound
from apps.workbench.calls.history import HistoryForm, history, history_rows, seconds_of
from apps.workbench.calls.selectors import call_get
from apps.workbench.models import Call


@project_view(Role.VIEWER)
@require_safe
def history_list(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = prompt_get(project=request.project, slug=slug)
    form = HistoryForm(request.GET.dict(), prompt=prompt)
    chosen = form.chosen()
    page = keyset(history(prompt=prompt, by=request.actor, chosen=chosen), request)
    context = {"prompt": prompt, "form": form, "filtered": bool(chosen), "page": page}
    return render(request, "workbench/history.html", context | {"rows": history_rows(page.rows)})


@project_view(Role.VIEWER)
@require_safe
def call_page(request: ProjectRequest, slug: str, call_id: UUID) -> HttpResponse:
    """Everything about one call; its output is shown as text and nothing else."""
    prompt = prompt_get(project=request.project, slug=slug)
    call = call_get(project=request.project, id=call_id)
    if call.prompt_id != prompt.pk:
        raise CallNotFound(f"“{prompt.name}” has no such call.")
    context = {
        "prompt": prompt,
        "call": call,
        "seconds": seconds_of(call.duration_ms),
        "first_token_seconds": seconds_of(call.time_to_first_token_ms),
        "values": {name: _shown(value) for name, value in call.inputs.items()},
        "parameters": _parameters(call),
        "tools": _shown(call.content.get("tools") or ""),
        "schema": _shown(call.content.get("response_schema") or ""),
    }
    return render(request, "workbench/call.html", context)


def _parameters(call: Call) -> dict[str, str]:
    parameters: dict[str, Any] = call.content.get("parameters") or {}
    return {
        name: _shown(value) for name, value in parameters.items() if name != "model" and value is not None
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
