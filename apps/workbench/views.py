"""The page where a prompt is edited, run, compared and saved."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors


@project_view(Role.VIEWER)
@require_safe
def workbench(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    return render(request, "workbench/workbench.html", {"prompt": prompt})
