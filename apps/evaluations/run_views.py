"""Pages of runs: the list, a new one, one with its results as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import Page, keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.selectors import dataset_list
from apps.evaluations.budget_services import typed_tokens, typed_usd
from apps.evaluations.models import EvalRun
from apps.evaluations.presentation import named, plan_facts, readable, result_row
from apps.evaluations.result_selectors import result_get, result_page
from apps.evaluations.run_figures import metric_figure
from apps.evaluations.run_forms import ResultFilterForm, RunFilterForm, RunForm
from apps.evaluations.run_moves import eval_run_cancel, eval_run_pause, eval_run_resume, eval_run_retry_failed
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.run_services import eval_run_again, eval_run_create
from apps.evaluations.selectors import (
    counts_of,
    headline_metrics,
    metric_titles,
    run_get,
    run_list,
    run_metrics,
    run_progress,
    run_usage,
    usage_of,
)
from apps.evaluations.spending import RunBudget, budgets_of, month_spending
from apps.prompts.selectors import prompt_list

PAGE_SIZE = 50
RUNS_A_PAGE = 25


@project_view(Role.VIEWER)
@require_safe
def run_list_page(request: ProjectRequest) -> HttpResponse:
    form = RunFilterForm(
        request.GET,
        prompts=list(prompt_list(project=request.project).order_by("name").values_list("slug", "name")),
        datasets=list(dataset_list(project=request.project).order_by("name").values_list("slug", "name")),
    )
    chosen = form.chosen()
    page = keyset(run_list(project=request.project, **chosen), request, size=RUNS_A_PAGE)
    counts, usage, metrics = counts_of(page.rows), usage_of(page.rows), headline_metrics(page.rows)
    rows = [(run, counts[run.pk], usage[run.pk], metrics.get(run.pk)) for run in page.rows]
    context = {"form": form, "page": page, "rows": rows, "filtered": bool(chosen), **_rights(request)}
    return render(request, "evaluations/run_list.html", context)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def run_create_page(request: ProjectRequest) -> HttpResponse:
    """The form; an htmx request asks for what follows from the choices made so far, and for nothing else."""
    form = _run_form(request)
    if request.method == "POST" and form.is_valid():
        try:
            run = eval_run_create(project=request.project, by=request.actor, request=form.request())
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return redirect("evaluations:run-detail", request.project.slug, run.number)
    template = "evaluations/_run_followers.html" if request.htmx else "evaluations/run_create.html"
    context = {"form": form, "preview": form.preview(), "month": month_spending(project=request.project)}
    return render(request, template, context, status=422 if form.errors else 200)


def _run_form(request: ProjectRequest) -> RunForm:
    chosen: dict[str, Any] = {name: request.GET[name] for name in request.GET}
    chosen["evaluators"] = request.GET.getlist("evaluators")
    # Links name a version shortly: ?prompt=slug&version=3, ?dataset=slug&dataset_version=2.
    chosen.setdefault("prompt_version", request.GET.get("version", ""))
    return RunForm(
        project=request.project,
        posted=request.POST if request.method == "POST" else None,
        chosen=chosen,
        refresh_url=reverse("evaluations:run-create", args=[request.project.slug]),
    )


@project_view(Role.VIEWER)
@require_safe
def run_detail_page(request: ProjectRequest, number: int) -> HttpResponse:
    """A run; an htmx request (a filter, another page) asks for its results alone."""
    run = run_get(project=request.project, number=number)
    context = _results(request, run)
    if request.htmx:
        return render(request, "evaluations/_run_results.html", context)
    return render(request, "evaluations/run_detail.html", context | _live(request, run))


@project_view(Role.VIEWER)
@require_safe
def run_progress_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """Where the run is now. Once it has settled, the page is told to fetch its results anew.

    `shown` is the state whose buttons the page has; those of another state come along.
    """
    run = run_get(project=request.project, number=number)
    return _live_response(request, run, shown=request.GET.get("shown", ""))


@project_view(Role.VIEWER)
@require_safe
def run_news_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    """How many results there are beyond the `seen` ones, for a table whose order new results would upset."""
    run = run_get(project=request.project, number=number)
    return render(request, "evaluations/_run_news.html", {"run": run, **_news(request, run)})


@project_view(Role.VIEWER)
@require_safe
def run_distribution_fragment(request: ProjectRequest, number: int) -> HttpResponse:
    run = run_get(project=request.project, number=number)
    figure = metric_figure(run, request.GET.get("metric", ""))
    return render(request, "evaluations/_run_distribution.html", {"run": run, "figure": figure})


@project_view(Role.VIEWER)
@require_safe
def run_result_page(request: ProjectRequest, number: int, item_id: UUID) -> HttpResponse:
    """Everything about one result: in the drawer for htmx, else a page of its own."""
    run = run_get(project=request.project, number=number)
    result = result_get(run, item_id)
    example = result.item.example
    context = {
        "run": run,
        "result": result,
        "item": result.item,
        "inputs": named(example.inputs, run.dataset_version.columns.get("inputs", [])),
        "metadata": named(example.metadata, run.dataset_version.columns.get("metadata", [])),
        "reference": readable(example.reference),
        "titles": metric_titles(run),
        "seed": None if run.seed is None else run.seed + result.item.repetition - 1,
    }
    template = "evaluations/_run_result.html" if request.htmx else "evaluations/run_result.html"
    return render(request, template, context)


_MOVES: dict[str, tuple[Callable[..., EvalRun], str]] = {
    "pause": (eval_run_pause, "The run is paused. What was answered is kept."),
    "resume": (eval_run_resume, "The run goes on."),
    "cancel": (eval_run_cancel, "The run is cancelled. What was answered is kept."),
    "retry-failed": (eval_run_retry_failed, "What failed is answered again."),
}


@project_view(Role.EDITOR)
@require_POST
def run_move(request: ProjectRequest, number: int, verb: str) -> HttpResponse:
    """Pause, resume, cancel or retry-failed; the answer is the run as it is then."""
    move, said = _MOVES[verb]
    reads = {"budget_usd": typed_usd, "budget_tokens": typed_tokens}
    budgets = {name: read(request.POST[name]) for name, read in reads.items() if name in request.POST}
    move(run=run_get(project=request.project, number=number), by=request.actor, **budgets)
    if request.htmx:
        return _live_response(request, run_get(project=request.project, number=number))
    messages.success(request, said)
    return redirect("evaluations:run-detail", request.project.slug, number)


@project_view(Role.EDITOR)
@require_POST
def run_again(request: ProjectRequest, number: int) -> HttpResponse:
    run = eval_run_again(run=run_get(project=request.project, number=number), by=request.actor)
    messages.success(request, f"Started with the same plan as #{number}.")
    return redirect("evaluations:run-detail", request.project.slug, run.number)


def _results(request: ProjectRequest, run: EvalRun) -> dict[str, Any]:
    metrics = [metric for metric in run_metrics(run) if not metric.of_run]
    form = ResultFilterForm(request.GET, metrics=[(metric.name, metric.title) for metric in metrics])
    chosen = form.chosen()
    found = result_page(
        run,
        chosen,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
        size=PAGE_SIZE,
    )
    columns = run.dataset_version.columns.get("inputs", [])
    filtered = any(name in request.GET for name in (*form.fields, "score"))
    return {
        "run": run,
        "form": form,
        "filtered": filtered,
        # In the dataset's order no row moves when its answer comes; elsewhere the reader is asked first.
        "follows": _waiting(run) and not filtered,
        "news": _news(request, run) if _waiting(run) and filtered else None,
        "score_columns": metrics,
        "rows": [result_row(item, columns, metrics) for item in found.rows],
        "page": Page(
            rows=found.rows,
            next_url=cursor_url(request, "after", found.next),
            previous_url=cursor_url(request, "before", found.previous),
            size=PAGE_SIZE,
        ),
        "query": without_cursor(request.GET).urlencode(),
    }


def _live(request: ProjectRequest, run: EvalRun) -> dict[str, Any]:
    counts = counts_of([run])[run.pk]
    return {
        "run": run,
        "counts": counts,
        "usage": run_usage(run),
        "progress": run_progress(run, counts),
        "metrics": run_metrics(run),
        "plan": plan_facts(run),
        "planned_primary": planned_primary(run),
        "run_budget": _run_budget(run),
        "month": None if run.is_terminal or run.recorded else month_spending(project=request.project),
        "took": run.finished_at - run.started_at if run.finished_at and run.started_at else None,
        "settled": _settled(run),
        "waiting": _waiting(run),
        **_rights(request),
    }


def _run_budget(run: EvalRun) -> RunBudget | None:
    limited = run.budget_usd is not None or run.budget_tokens is not None
    return budgets_of([run])[run.pk] if limited else None


def _live_response(request: ProjectRequest, run: EvalRun, *, shown: str = "") -> HttpResponse:
    context = _live(request, run) | {"moves_changed": run.status != shown}
    response = render(request, "evaluations/_run_live_answer.html", context)
    if not context["waiting"]:
        response["HX-Trigger"] = '{"run-settled": {"target": "#run-results"}}'
    return response


def _news(request: ProjectRequest, run: EvalRun) -> dict[str, Any]:
    done = counts_of([run])[run.pk].done
    seen = request.GET.get("seen", "")
    known = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else done
    return {"seen": known, "fresh": max(0, done - known), "waiting": _waiting(run)}


def _settled(run: EvalRun) -> bool:
    return run.is_terminal and run.finalized_at is not None


def _waiting(run: EvalRun) -> bool:
    """True while the page should look again by itself."""
    return not _settled(run) and run.status != EvalRun.Status.PAUSED


def _rights(request: ProjectRequest) -> dict[str, Any]:
    return {"may_edit": request.actor.may(Role.EDITOR)}


def cursor_url(request: HttpRequest, direction: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = without_cursor(request.GET)
    query[direction] = cursor
    return f"?{query.urlencode()}"


def without_cursor(query: QueryDict) -> QueryDict:
    plain = query.copy()
    plain.pop("after", None)
    plain.pop("before", None)
    return plain
