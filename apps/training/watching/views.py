"""Pages."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view


@project_view(Role.VIEWER)
def job_list(request: ProjectRequest) -> HttpResponse:
    return render(request, "training/job_list.html", {"project": request.project})
