"""The versions in the workbench's left column."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.timeline import timeline_of


@project_view(Role.VIEWER)
@require_safe
def timeline(request: ProjectRequest, slug: str) -> HttpResponse:
    """Fragment: a page of versions, newest first. ?q= searches, ?before= asks for those before a number."""
    prompt = prompt_get(project=request.project, slug=slug)
    search, before = request.GET.get("q", ""), request.GET.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None
    context = {
        "prompt": prompt,
        "timeline": timeline_of(prompt=prompt, search=search, before=number),
        "search": search,
        "is_first": number is None,
        "may_edit": request.actor.may(Role.EDITOR) and prompt.archived_at is None,
    }
    return render(request, "workbench/_timeline_rows.html", context)
