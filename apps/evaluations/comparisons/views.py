"""Pages of comparisons: the list, a new one, and the one on which people decide."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparisons.figures import figures_again
from apps.evaluations.comparisons.forms import ComparisonForm
from apps.evaluations.comparisons.links import comparison_url
from apps.evaluations.comparisons.lists import list_rows
from apps.evaluations.comparisons.panels import panel_context
from apps.evaluations.comparisons.row_pages import rows_context
from apps.evaluations.comparisons.selectors import (
    comparison_get,
    comparison_list,
    runs_numbered,
)
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.comparisons.state import ComparisonState, comparison_state
from apps.evaluations.comparisons.summary import metric_figures, page_context


@project_view(Role.VIEWER)
@require_safe
def comparison_list_page(request: ProjectRequest) -> HttpResponse:
    q = request.GET.get("q", "")
    page = keyset(comparison_list(project=request.project, q=q), request, size=25)
    context = {"page": page, "rows": list_rows(page.rows), "filtered": bool(q), **_rights(request)}
    return render(request, "evaluations/comparison_list.html", context)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def comparison_create_page(request: ProjectRequest) -> HttpResponse:
    """The form; an htmx request asks for its fields alone, as they are for the baseline chosen."""
    form = _comparison_form(request)
    if request.method == "POST" and form.is_valid():
        baseline, candidates = form.runs()
        try:
            comparison = comparison_create(
                project=request.project,
                by=request.actor,
                baseline=baseline,
                candidates=candidates,
                primary_metric=form.cleaned_data["primary_metric"],
                name=form.cleaned_data["name"],
            )
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return redirect("evaluations:comparison-detail", request.project.slug, comparison.number)
    template = "evaluations/_comparison_fields.html" if request.htmx else "evaluations/comparison_create.html"
    return render(request, template, {"form": form}, status=422 if form.errors else 200)


def _comparison_form(request: ProjectRequest) -> ComparisonForm:
    """Filled from ?baseline=1&candidates=2,3; or from ?run=1&run=2: runs ticked in a list, oldest first."""
    ticked = [
        str(run.number) for run in runs_numbered(project=request.project, numbers=request.GET.getlist("run"))
    ]
    named = [part for text in request.GET.getlist("candidates") for part in text.split(",") if part]
    return ComparisonForm(
        project=request.project,
        posted=request.POST if request.method == "POST" else None,
        baseline=request.GET.get("baseline") or next(iter(ticked), ""),
        candidates=named or ticked[1:],
        previous=request.GET.get("previous", ""),
        chosen={name: request.GET.get(name, "") for name in ("name", "primary_metric")},
        refresh_url=reverse("evaluations:comparison-create", args=[request.project.slug]),
    )


@project_view(Role.VIEWER)
@require_safe
def comparison_detail_page(request: ProjectRequest, number: int) -> HttpResponse:
    """A comparison. An htmx request asks for all of it below the head."""
    state = _state(request, number)
    figures = metric_figures(state)
    context = rows_context(request, state) | page_context(state, figures) | panel_context(state, figures)
    template = "evaluations/_comparison_answer.html" if request.htmx else "evaluations/comparison_detail.html"
    return render(request, template, context | _rights(request))


@project_view(Role.VIEWER)
@require_safe
def comparison_summary_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """Verdict and cards; polled while the figures are made. Then the rows are told to come anew."""
    state = _state(request, number)
    if not request.htmx:
        return redirect(comparison_url(state))
    figures = metric_figures(state)
    response = render(request, "evaluations/_comparison_summary.html", page_context(state, figures))
    if not figures.waiting:
        response["HX-Trigger"] = '{"run-settled": {"target": "#comparison-rows"}}'
    return response


@project_view(Role.VIEWER)
@require_safe
def comparison_panel_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """The panel that the address opens; polled while a part of it is made. Without htmx, the page."""
    state = _state(request, number)
    if not request.htmx:
        return redirect(comparison_url(state))
    figures = metric_figures(state)
    context = page_context(state, figures) | panel_context(state, figures)
    return render(request, "evaluations/_comparison_panels.html", context)


@project_view(Role.VIEWER)
@require_POST
def comparison_again(request: ProjectRequest, number: int) -> HttpResponse:
    """Have the figures that could not be made tried again."""
    state = _state(request, number)
    figures_again(state.comparison)
    return redirect(comparison_url(state))


def _state(request: ProjectRequest, number: int) -> ComparisonState:
    return comparison_state(comparison_get(project=request.project, number=number), request.GET)


def _rights(request: ProjectRequest) -> dict[str, bool]:
    return {"may_edit": request.actor.may(Role.EDITOR), "may_vote": request.actor.may(Role.ANNOTATOR)}
