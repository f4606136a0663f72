"""Pages of comparisons: the list, a new one, and the one on which people decide."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.errors import NotFound, ProductError
from apps.core.pages import Page, keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparison_figures import FiguresState, kept_of_list
from apps.evaluations.comparison_forms import ComparisonForm, RowFilterForm
from apps.evaluations.comparison_pages import (
    candidate_views,
    chosen_candidate,
    primary_of,
    row_view,
)
from apps.evaluations.comparison_panels import panel_context
from apps.evaluations.comparison_rows import (
    ComparedRow,
    RowCounts,
    RowQuery,
    compared_rows,
    items_of_example,
)
from apps.evaluations.comparison_selectors import (
    comparison_get,
    comparison_list,
    runs_numbered,
)
from apps.evaluations.comparison_services import comparison_create
from apps.evaluations.comparison_state import ComparisonState, comparison_state
from apps.evaluations.comparison_summary import metric_figures, page_context
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.run_views import cursor_url, without_cursor
from apps.evaluations.selectors import metric_titles

ROWS_A_PAGE = 50


@project_view(Role.VIEWER)
@require_safe
def comparison_list_page(request: ProjectRequest) -> HttpResponse:
    q = request.GET.get("q", "")
    page = keyset(comparison_list(project=request.project, q=q), request, size=25)
    kept = kept_of_list(page.rows)
    rows = [
        (
            comparison,
            candidate_views(comparison, comparison.baseline, of_it.figures if of_it else None),
            of_it.error if of_it else "",
        )
        for comparison, of_it in ((comparison, kept[comparison.pk]) for comparison in page.rows)
    ]
    context = {"page": page, "rows": rows, "filtered": bool(q), "may_edit": request.actor.may(Role.EDITOR)}
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
        chosen={name: request.GET.get(name, "") for name in ("name", "primary_metric")},
        refresh_url=reverse("evaluations:comparison-create", args=[request.project.slug]),
    )


@project_view(Role.VIEWER)
@require_safe
def comparison_detail_page(request: ProjectRequest, number: int) -> HttpResponse:
    """A comparison. An htmx request asks for all of it below the head, else (a filter) for its rows alone."""
    state = _state(request, number)
    figures = metric_figures(state)
    rows = _rows(request, state.comparison, state.candidate, figures)
    if request.htmx and not _asks_for_all(request):
        return render(request, "evaluations/_comparison_rows.html", rows)
    context = rows | page_context(state, figures) | panel_context(state, figures)
    template = "evaluations/_comparison_answer.html" if request.htmx else "evaluations/comparison_detail.html"
    return render(request, template, context | _rights(request))


@project_view(Role.VIEWER)
@require_safe
def comparison_summary_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """Verdict and cards; polled while the figures are made. Then the rows are told to come anew."""
    state = _state(request, number)
    figures = metric_figures(state)
    response = render(request, "evaluations/_comparison_summary.html", page_context(state, figures))
    if not figures.waiting:
        response["HX-Trigger"] = '{"run-settled": {"target": "#comparison-rows"}}'
    return response


@project_view(Role.VIEWER)
@require_safe
def comparison_panel_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """The panel that the address opens; polled while a part of it is made."""
    state = _state(request, number)
    figures = metric_figures(state)
    context = page_context(state, figures) | panel_context(state, figures)
    return render(request, "evaluations/_comparison_panels.html", context)


def _state(request: ProjectRequest, number: int) -> ComparisonState:
    return comparison_state(comparison_get(project=request.project, number=number), request.GET)


def _asks_for_all(request: ProjectRequest) -> bool:
    """htmx 4 names its target with the element: "div#comparison"."""
    return (request.htmx.target or "").rpartition("#")[2] == "comparison"


@project_view(Role.VIEWER)
@require_safe
def comparison_example_page(request: ProjectRequest, number: int, example_id: UUID) -> HttpResponse:
    """One example in the baseline and the chosen candidate, whole, each repetition."""
    comparison = comparison_get(project=request.project, number=number)
    candidate = chosen_candidate(comparison, request.GET.get("candidate", ""))
    columns = comparison.baseline.dataset_version.columns.get("inputs", [])
    rows = _pairs(comparison.baseline, candidate, example_id)
    if not rows:
        raise NotFound("No run of this comparison has such an example.")
    context = {
        "comparison": comparison,
        "candidate": candidate,
        "titles": metric_titles(candidate) | metric_titles(comparison.baseline),
        "rows": [row_view(row, columns, limit=None) for row in rows],
    }
    template = "evaluations/_compared_example.html" if request.htmx else "evaluations/comparison_example.html"
    return render(request, template, context)


def _pairs(baseline: EvalRun, candidate: EvalRun, example_id: UUID) -> list[ComparedRow]:
    items = items_of_example([baseline, candidate], example_id)
    by_place = {(item.run_id, item.repetition): item for item in items}
    return [
        ComparedRow(
            example_id=example_id,
            repetition=repetition,
            outcome="",
            differs=False,
            baseline=by_place.get((baseline.pk, repetition)),
            candidate=by_place.get((candidate.pk, repetition)),
            baseline_value=None,
            candidate_value=None,
            cursor="",
        )
        for repetition in sorted({item.repetition for item in items})
    ]


def _rows(
    request: ProjectRequest, comparison: Comparison, candidate: EvalRun, state: FiguresState
) -> dict[str, Any]:
    form = RowFilterForm(request.GET)
    primary = primary_of(comparison, candidate, state.figures)
    query = _row_query(comparison, candidate, form.chosen(), primary or {})
    found = compared_rows(
        query,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
        size=ROWS_A_PAGE,
    )
    columns = comparison.baseline.dataset_version.columns.get("inputs", [])
    base = without_cursor(request.GET)
    base.pop("show", None)
    return {
        "comparison": comparison,
        "candidate": candidate,
        "page_url": reverse("evaluations:comparison-detail", args=[request.project.slug, comparison.number]),
        "primary": primary,
        "form": form,
        "show": query.show,
        "filtered": bool(query.q or query.show),
        "shown_counts": _shown_counts(form, found.counts),
        "query_without_show": base.urlencode(),
        "rows": [row_view(row, columns) for row in found.rows],
        "page": Page(
            rows=found.rows,
            next_url=cursor_url(request, "after", found.next),
            previous_url=cursor_url(request, "before", found.previous),
            size=ROWS_A_PAGE,
        ),
    }


def _row_query(
    comparison: Comparison, candidate: EvalRun, chosen: dict[str, str], metric: dict[str, Any]
) -> RowQuery:
    return RowQuery(
        baseline=comparison.baseline_id,
        candidate=candidate.pk,
        metric=metric.get("name", ""),
        source=metric.get("source", "evaluator"),
        direction=metric.get("direction", ""),
        show=chosen.get("show", ""),
        q=chosen.get("q", ""),
    )


def _shown_counts(form: RowFilterForm, counts: RowCounts) -> list[tuple[str, str, int]]:
    choices = form.fields["show"].choices  # type: ignore[attr-defined]
    return [(name, label, getattr(counts, name or "total")) for name, label in choices]


def _rights(request: ProjectRequest) -> dict[str, bool]:
    return {"may_edit": request.actor.may(Role.EDITOR)}
