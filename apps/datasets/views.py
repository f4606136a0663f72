"""Pages: the list of datasets, settings, versions and what changed between two of them, export."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import InvalidInput, ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets import services
from apps.datasets.diffing import KINDS, diff_counts, diff_rows, with_other_side
from apps.datasets.exporting import FORMATS
from apps.datasets.forms import DatasetForm
from apps.datasets.models import Dataset
from apps.datasets.presenting import as_one_text
from apps.datasets.selectors import (
    dataset_get,
    dataset_list,
    draft_size,
    latest_version,
    version_get,
    version_list,
)
from apps.datasets.streaming import export_response


def frame(request: ProjectRequest, dataset: Dataset, tab: str) -> dict[str, Any]:
    """What every page of one dataset shows around its content."""
    return {
        "dataset": dataset,
        "tab": tab,
        "draft_size": draft_size(dataset),
        "is_editor": request.actor.may(Role.EDITOR),
        "can_edit": request.actor.may(Role.EDITOR) and dataset.archived_at is None,
    }


def number_from(request: ProjectRequest, name: str) -> int | None:
    """A version's number from the query string, None where it is absent or no number."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@project_view(Role.VIEWER)
@require_safe
def datasets(request: ProjectRequest) -> HttpResponse:
    archived = request.GET.get("archived") == "1"
    rows = dataset_list(project=request.project, archived=archived, q=request.GET.get("q", ""))
    context = {
        "page": keyset(rows, request),
        "archived": archived,
        "can_edit": request.actor.may(Role.EDITOR),
    }
    return render(request, "datasets/list.html", context)


@project_view(Role.EDITOR)
def dataset_new(request: ProjectRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            dataset = services.dataset_create(project=request.project, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("datasets:import", request.project.slug, dataset.slug)
    return render(request, "datasets/new.html", {"form": form}, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
def settings(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    initial = {"name": dataset.name, "description": dataset.description}
    form = DatasetForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.dataset_update(dataset=dataset, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, "Saved.")
            return redirect("datasets:settings", request.project.slug, slug)
    context = frame(request, dataset, "settings") | {"form": form}
    return render(request, "datasets/settings.html", context, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
@require_POST
def archive(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    archived = request.POST.get("undo") != "1"
    services.dataset_archive(dataset=dataset, by=request.actor, archived=archived)
    messages.success(request, f"{dataset.name} is {'archived' if archived else 'restored'}.")
    return redirect("datasets:settings", request.project.slug, slug)


@project_view(Role.VIEWER)
@require_safe
def versions(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    context = frame(request, dataset, "versions")
    context["page"] = keyset(version_list(dataset), request, order="-number")
    context["latest"] = latest_version(dataset)
    return render(request, "datasets/versions.html", context)


@project_view(Role.VIEWER)
@require_safe
def diff(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    new = version_get(dataset=dataset, number=number_from(request, "to"))
    old = version_get(dataset=dataset, number=number_from(request, "from") or max(1, new.number - 1))
    old, new = sorted((old, new), key=lambda version: version.number)
    counts = diff_counts(old, new)
    asked = request.GET.get("kind", "")
    kind = asked if asked in KINDS else next((name for name in KINDS if getattr(counts, name)), "changed")
    page = keyset(diff_rows(old, new, kind), request, order="position", size=20)
    rows = with_other_side(old, new, kind, page.rows)
    context = frame(request, dataset, "versions") | {
        "old": old,
        "new": new,
        "kind": kind,
        "kinds": [(name, getattr(counts, name)) for name in KINDS],
        "page": page,
        "rows": [
            (row, as_one_text(row.before, old.columns), as_one_text(row.after, new.columns)) for row in rows
        ],
    }
    return render(request, "datasets/diff.html", context)


@project_view(Role.VIEWER)
@require_safe
def export(request: ProjectRequest, slug: str) -> HttpResponseBase:
    dataset = dataset_get(project=request.project, slug=slug)
    format = request.GET.get("as", "csv")
    if format not in FORMATS:
        raise InvalidInput(f"Export as one of: {', '.join(FORMATS)}.")
    return export_response(
        request, version_get(dataset=dataset, number=number_from(request, "version")), format
    )
