"""Pages of spans."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view


@project_view(Role.VIEWER)
def span_list(request: ProjectRequest) -> HttpResponse:
    return render(request, "traces/list.html")
