"""The report of a comparison: one file that opens anywhere, without a network."""

from __future__ import annotations

import base64
import hashlib

from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparisons.links import comparison_url
from apps.evaluations.comparisons.report_content import report_content, report_name
from apps.evaluations.comparisons.report_parts import ReportParts, report_parts
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.comparisons.state import ComparisonState, comparison_state


@project_view(Role.VIEWER)
@require_safe
def comparison_report_page(request: ProjectRequest, number: int) -> HttpResponse:
    """The file; while its figures are being made a page that waits for them. `now` does not wait."""
    comparison = comparison_get(project=request.project, number=number)
    state = comparison_state(comparison, request.GET)
    parts = report_parts(state)
    if request.htmx or (parts.waiting and "now" not in request.GET):
        return _waiting(request, state, parts)
    moment = timezone.now()
    response = HttpResponse(_report(request, state, parts), content_type="text/html; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{report_name(state, moment)}"'
    return response


def _waiting(request: ProjectRequest, state: ComparisonState, parts: ReportParts) -> HttpResponse:
    report_url = comparison_url(state, "comparison-report")
    context = {
        "comparison": state.comparison,
        "figures": parts.metrics,
        "waiting": parts.waiting,
        "pending": parts.pending(),
        "report_url": report_url,
        "now_url": f"{report_url}{'&' if '?' in report_url else '?'}now=1",
        "detail_url": comparison_url(state),
    }
    template = "evaluations/_report_wait.html" if request.htmx else "evaluations/report_wait.html"
    return render(request, template, context)


def _report(request: ProjectRequest, state: ComparisonState, parts: ReportParts) -> str:
    """The whole file. Its policy lets nothing in but its own style sheet, which it names by its hash."""
    style = f"\n{render_to_string('evaluations/report.css')}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    context = report_content(state, parts) | {
        "style": mark_safe(style),  # noqa: S308  # a file of ours without any variable
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        "project": request.project,
        "made_by": request.user.name or request.user.email,
        "now": timezone.now(),
        "address": request.build_absolute_uri(comparison_url(state)),
    }
    return render_to_string("evaluations/report.html", context)
