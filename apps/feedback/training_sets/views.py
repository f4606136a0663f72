"""Pages of training sets."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.streaming import stream_response
from apps.feedback.models import TrainingSet
from apps.feedback.training_sets import services
from apps.feedback.training_sets.errors import TrainingSetNotFound
from apps.feedback.training_sets.exporting import content_of, file_get, files_of
from apps.feedback.training_sets.figures_shown import shown_figures
from apps.feedback.training_sets.forms import METHODS, FreezeForm, TrainingSetForm
from apps.feedback.training_sets.presenting import STAGES, shown_rows, shown_sources
from apps.feedback.training_sets.recipe import SPLITS, read_recipe
from apps.feedback.training_sets.selectors import (
    frozen_rows,
    is_waiting,
    kept_rows,
    left_out_rows,
    sources_of,
    training_set_get,
    training_set_list,
)


@project_view(Role.VIEWER)
@require_safe
def training_list(request: ProjectRequest) -> HttpResponse:
    method, q = request.GET.get("method", ""), request.GET.get("q", "")
    rows = training_set_list(project=request.project, method=method, q=q)
    context = {
        "page": keyset(rows, request),
        "method": method,
        "methods": TrainingSet.Method.choices,
        "is_filtered": bool(method or q),
        "can_edit": request.actor.may(Role.EDITOR),
    }
    return render(request, "feedback/training_list.html", context)


@project_view(Role.EDITOR)
def training_new(request: ProjectRequest) -> HttpResponse:
    form = TrainingSetForm(request.POST or None, project=request.project, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.training_set_create(
                project=request.project,
                by=request.actor,
                name=form.cleaned_data["name"],
                method=form.cleaned_data["method"],
                recipe=form.recipe(),
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("feedback:training-detail", request.project.slug, made.number)
    return render(request, "feedback/training_new.html", {"form": form}, status=400 if form.errors else 200)


def _initial(request: ProjectRequest) -> dict[str, Any]:
    """What the address asks for (?method=, ?prompt=, ?queue=), or the settings of another set (?like=)."""
    asked = {name: request.GET[name] for name in ("method", "prompt", "queue") if request.GET.get(name)}
    like = request.GET.get("like", "")
    if like.isascii() and like.isdigit() and len(like) < 10:
        try:
            found = training_set_get(project=request.project, number=int(like))
        except TrainingSetNotFound:
            return asked
        return read_recipe(found.settings).as_json() | {"name": found.name, "method": found.method}
    return asked


@project_view(Role.VIEWER)
@require_safe
def training_detail(request: ProjectRequest, number: int) -> HttpResponse:
    """A set with its figures and rows; while it is made, the part that is fetched anew each second."""
    found = training_set_get(project=request.project, number=number)
    context = _figures(request, found)
    if request.htmx:
        return render(request, "feedback/_training_answer.html", context | {"fragment": True})
    return render(request, "feedback/training_detail.html", context)


def _figures(request: ProjectRequest, found: TrainingSet) -> dict[str, Any]:
    waiting, frozen = is_waiting(found), found.status == TrainingSet.Status.COMPLETED
    context = {
        "set": found,
        "waiting": waiting,
        "frozen": frozen,
        "stage": STAGES.get(found.progress.get("stage", ""), ""),
        "figures": shown_figures(found),
        "recipe": read_recipe(found.settings),
        "method_words": METHODS[found.method],
        "can_edit": request.actor.may(Role.EDITOR),
        "files": files_of(found) if frozen else [],
        "freeze_form": None,
    }
    if not waiting:
        context |= _rows(request, found)
        if found.status == TrainingSet.Status.PREVIEWED and context["can_edit"]:
            context["freeze_form"] = FreezeForm(training_set=found)
    return context


def _rows(request: ProjectRequest, found: TrainingSet) -> dict[str, Any]:
    split = request.GET.get("split", "") if request.GET.get("split") in SPLITS else ""
    reason = request.GET.get("reason", "").replace("\x00", "")[:20]
    if reason:
        page = keyset(left_out_rows(found, "" if reason == "all" else reason), request, order="id")
    elif found.status == TrainingSet.Status.COMPLETED:
        page = keyset(frozen_rows(found, split=split), request, order="position")
    else:
        rows = kept_rows(found)
        page = keyset(rows.filter(split=split) if split else rows, request, order="id")
    return {
        "page": page,
        "rows": shown_rows(found, page.rows),
        "split": split,
        "reason": reason,
        "splits": SPLITS,
    }


@project_view(Role.VIEWER)
@require_safe
def training_row(request: ProjectRequest, number: int) -> HttpResponse:
    """The judgements behind one row (?key=), in the drawer."""
    found = training_set_get(project=request.project, number=number)
    key = request.GET.get("key", "").replace("\x00", "")[:200]
    sources = shown_sources(request.project, sources_of(found, [key])[key])
    context = {"set": found, "key": key, "sources": sources}
    template = "feedback/_training_row.html" if request.htmx else "feedback/training_row.html"
    return render(request, template, context)


@project_view(Role.EDITOR)
@require_POST
def training_freeze(request: ProjectRequest, number: int) -> HttpResponse:
    found = training_set_get(project=request.project, number=number)
    form = FreezeForm(request.POST, training_set=found)
    if form.is_valid():
        try:
            services.training_set_freeze(training_set=found, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("feedback:training-detail", request.project.slug, number)
    context = _figures(request, found) | {"freeze_form": form}
    return render(request, "feedback/training_detail.html", context, status=400)


@project_view(Role.EDITOR)
@require_POST
def training_again(request: ProjectRequest, number: int) -> HttpResponse:
    """The same set from the judgements as they are now: a new one where this is frozen."""
    found = training_set_get(project=request.project, number=number)
    if found.status == TrainingSet.Status.COMPLETED:
        found = services.training_set_again(training_set=found, by=request.actor)
    else:
        services.training_set_preview_again(training_set=found, by=request.actor)
    return redirect("feedback:training-detail", request.project.slug, found.number)


@project_view(Role.EDITOR)
@require_POST
def training_delete(request: ProjectRequest, number: int) -> HttpResponse:
    found = training_set_get(project=request.project, number=number)
    services.training_set_delete(training_set=found, by=request.actor)
    messages.success(request, f"{found.name} is deleted.")
    return redirect("feedback:training-list", request.project.slug)


@project_view(Role.VIEWER)
@require_safe
def training_file(request: ProjectRequest, number: int, name: str) -> HttpResponseBase:
    found = training_set_get(project=request.project, number=number)
    file = file_get(found, name)
    if request.method == "GET":
        services.training_file_taken(training_set=found, by=request.actor, name=file.name)
    return stream_response(request, content_of(found, file), file.content_type, file.name)
