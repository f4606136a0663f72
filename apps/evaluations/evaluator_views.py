"""Pages of evaluators: list, kinds to choose from, the form, versions, archive."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset, sort_field
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations import evaluator_selectors as selectors
from apps.evaluations import evaluator_services as services
from apps.evaluations.evaluator_config import evaluator_kind
from apps.evaluations.evaluator_errors import StaleEvaluator
from apps.evaluations.evaluator_forms import EvaluatorForm
from apps.evaluations.evaluator_rows import evaluator_row, kind_groups, metric_rows, needs_of
from apps.evaluations.evaluator_selectors import setting_rows
from apps.evaluations.evaluator_trial_views import trial_fields
from apps.evaluations.evaluators import EvaluatorKind, kind

SORTS = {"name": "name", "kind": "kind", "made": "created_at"}


@project_view(Role.VIEWER)
@require_safe
def evaluator_list(request: ProjectRequest) -> HttpResponse:
    archived = request.GET.get("show") == "archived"
    search = request.GET.get("q", "")
    evaluators = selectors.evaluator_list(project=request.project, search=search, archived=archived)
    page = keyset(evaluators, request, order=sort_field(request, SORTS, "name"))
    context = {
        "page": page,
        "rows": [evaluator_row(evaluator) for evaluator in page.rows],
        "archived": archived,
        "filtered": bool(search),
        "may_change": request.actor.may(Role.EDITOR),
    }
    return render(request, "evaluations/evaluator_list.html", context)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def evaluator_create(request: ProjectRequest) -> HttpResponse:
    if not request.GET.get("kind"):
        search = request.GET.get("q", "")
        context = {"groups": kind_groups(search), "search": search}
        return render(request, "evaluations/evaluator_kinds.html", context)
    of = evaluator_kind(request.GET["kind"])
    names = selectors.metric_names_for(of, request.project)
    form = EvaluatorForm(
        _posted(request),
        kind=of,
        metric_names=names,
        names=selectors.names_for(of, request.project),
        initial={"name": of.title},
    )
    if request.method == "POST" and form.is_valid():
        try:
            evaluator = services.evaluator_create(
                project=request.project,
                by=request.actor,
                name=form.cleaned_data["name"],
                kind=of.name,
                config=form.cleaned_config(),
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("evaluations:evaluator-detail", request.project.slug, evaluator.slug)
    return _form_page(request, form, of, {})


@project_view(Role.VIEWER)
@require_safe
def evaluator_detail(request: ProjectRequest, slug: str) -> HttpResponse:
    evaluator = selectors.evaluator_get(project=request.project, slug=slug)
    of = kind(evaluator.kind)
    page = keyset(selectors.version_list(evaluator=evaluator), request, order="-number", size=20)
    context = {
        "evaluator": evaluator,
        "kind": of,
        "needs": needs_of(of),
        "metrics": metric_rows(selectors.metrics_of(evaluator)),
        "versions": [(version, selectors.setting_rows(of, version.config)) for version in page.rows],
        "page": page,
        "may_change": request.actor.may(Role.EDITOR),
    }
    return render(request, "evaluations/evaluator_detail.html", context)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def evaluator_edit(request: ProjectRequest, slug: str) -> HttpResponse:
    evaluator = selectors.evaluator_get(project=request.project, slug=slug)
    of = kind(evaluator.kind)
    number: int = evaluator.version_number  # type: ignore[attr-defined]  # annotated by the selector
    initial = {"name": evaluator.name, "based_on": number}
    form = EvaluatorForm(
        _posted(request),
        kind=of,
        config=evaluator.version_config,  # type: ignore[attr-defined]  # annotated by the selector
        metric_names=selectors.metric_names_for(of, request.project),
        names=selectors.names_for(of, request.project),
        initial=initial,
    )
    context: dict[str, object] = {"evaluator": evaluator}
    if request.method == "POST" and form.is_valid():
        try:
            services.evaluator_change(
                evaluator=evaluator,
                by=request.actor,
                name=form.cleaned_data["name"],
                config=form.cleaned_config(),
                based_on=form.cleaned_data["based_on"],
            )
        except ProductError as error:
            form.add_product_error(error)
            if isinstance(error, StaleEvaluator):
                context |= _beside_the_newest(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("evaluations:evaluator-detail", request.project.slug, slug)
    return _form_page(request, form, of, context)


@project_view(Role.EDITOR)
@require_POST
def evaluator_archive(request: ProjectRequest, slug: str) -> HttpResponse:
    evaluator = selectors.evaluator_get(project=request.project, slug=slug)
    services.evaluator_archive(evaluator=evaluator, by=request.actor)
    messages.success(request, f"“{evaluator.name}” is archived. Runs that use it keep their scores.")
    return redirect("evaluations:evaluator-list", request.project.slug)


@project_view(Role.EDITOR)
@require_POST
def evaluator_restore(request: ProjectRequest, slug: str) -> HttpResponse:
    evaluator = selectors.evaluator_get(project=request.project, slug=slug)
    services.evaluator_restore(evaluator=evaluator, by=request.actor)
    messages.success(request, f"“{evaluator.name}” is back in the list.")
    return redirect("evaluations:evaluator-detail", request.project.slug, slug)


def _posted(request: ProjectRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _form_page(
    request: ProjectRequest, form: EvaluatorForm, of: EvaluatorKind, context: dict[str, object]
) -> HttpResponse:
    context = {**context, "form": form, "kind": of, **trial_fields(request.project, of)}
    return render(request, "evaluations/evaluator_form.html", context, status=400 if form.errors else 200)


def _beside_the_newest(form: EvaluatorForm, error: StaleEvaluator) -> dict[str, object]:
    """Show what somebody saved meanwhile beside what was typed; saving again is then based on it."""
    number = error.extra["newest"]
    form.data = {**form.data.dict(), "based_on": number} if isinstance(form.data, QueryDict) else form.data
    return {"newest": setting_rows(form.kind, error.extra["newest_config"]), "newest_number": number}
