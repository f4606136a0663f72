"""The report of a comparison."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparison_selectors import comparison_get


@project_view(Role.VIEWER)
@require_safe
def comparison_report_page(request: ProjectRequest, number: int) -> HttpResponse:
    comparison = comparison_get(project=request.project, number=number)
    return HttpResponse(comparison.name)
