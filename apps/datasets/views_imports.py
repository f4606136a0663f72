"""Pages: upload, preview and mapping, progress, rejected rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.spreadsheets import csv_lines
from apps.core.views import ProjectRequest, project_view
from apps.datasets import services
from apps.datasets.errors import FileUnreadable
from apps.datasets.forms import MappingForm, SourceForm, UploadForm
from apps.datasets.importers.mapping import Mapping
from apps.datasets.importers.rows import Preview
from apps.datasets.models import DatasetImport
from apps.datasets.progress import import_progress
from apps.datasets.selectors import dataset_get, import_get, import_list
from apps.datasets.streaming import stream_response
from apps.datasets.views import frame

Status = DatasetImport.Status


@project_view(Role.EDITOR)
def upload(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            job = services.import_upload(dataset=dataset, by=request.actor, file=file, filename=file.name)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("datasets:import-mapping", request.project.slug, slug, job.pk)
    context = frame(request, dataset, "imports") | {"form": form}
    return render(request, "datasets/upload.html", context, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
def import_mapping(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """The first rows and what to make of each column; "Read again" takes other settings for reading."""
    dataset = dataset_get(project=request.project, slug=slug)
    job = import_get(dataset=dataset, import_id=import_id)
    if job.status != Status.UPLOADED:
        return redirect("datasets:import-detail", request.project.slug, slug, job.pk)
    source_form = SourceForm(request.POST or None)
    overrides = source_form.overrides() if source_form.is_bound and source_form.is_valid() else {}
    try:
        seen, guessed = services.import_preview(job, **overrides)
    except FileUnreadable as error:
        return _unreadable(request, job, error)
    wants_import = request.method == "POST" and request.POST.get("action") == "import"
    form = MappingForm(request.POST if wants_import else None, seen=seen, guessed=guessed)
    if wants_import and form.is_valid() and _start(request, job, seen, form, form.mapping()):
        return redirect("datasets:import-detail", request.project.slug, slug, job.pk)
    context = frame(request, dataset, "imports") | {"job": job, "seen": seen, "form": form}
    context["source_form"] = SourceForm(initial=SourceForm.initial_from(seen.source))
    return render(request, "datasets/mapping.html", context, status=400 if form.errors else 200)


def _unreadable(request: ProjectRequest, job: DatasetImport, error: FileUnreadable) -> HttpResponse:
    """The file cannot be read like this: say why, and offer other settings for reading."""
    likely = error.extra.get("encodings", [])
    context = frame(request, job.dataset, "imports") | {"job": job, "error": error}
    data = request.POST if request.method == "POST" else None
    context["source_form"] = SourceForm(data if data and not likely else None, likely=likely)
    return render(request, "datasets/unreadable.html", context, status=error.status)


def _start(
    request: ProjectRequest, job: DatasetImport, seen: Preview, form: MappingForm, mapping: Mapping
) -> bool:
    """False where the form is to be shown again; an import that failed shows why on its own page."""
    try:
        services.import_start(
            job=job,
            by=request.actor,
            seen=seen,
            mapping=mapping,
            mode=form.cleaned_data["mode"],
            note=form.cleaned_data["note"],
        )
    except ProductError as error:
        job.refresh_from_db()
        if job.status == Status.UPLOADED:
            form.add_product_error(error)
            return False
    return True


@project_view(Role.VIEWER)
@require_safe
def imports(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    context = frame(request, dataset, "imports") | {"page": keyset(import_list(dataset), request)}
    return render(request, "datasets/imports.html", context)


@project_view(Role.VIEWER)
@require_safe
def import_detail(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    job = import_get(dataset=dataset, import_id=import_id)
    context = frame(request, dataset, "imports") | {"job": job, "progress": import_progress(job)}
    context["rejections"] = [] if job.is_waiting else list(job.rejections.order_by("line", "id")[:10])
    template = "datasets/_import_progress.html" if request.htmx else "datasets/import.html"
    return render(request, template, context)


@project_view(Role.EDITOR)
@require_POST
def import_cancel(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    job = services.import_cancel(job=import_get(dataset=dataset, import_id=import_id), by=request.actor)
    messages.success(request, f"The import of {job.filename} is cancelled. The dataset is as it was.")
    return redirect("datasets:imports", request.project.slug, slug)


@project_view(Role.VIEWER)
@require_safe
def rejections(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    job = import_get(dataset=dataset, import_id=import_id)
    context: dict[str, Any] = frame(request, dataset, "imports") | {"job": job}
    context["page"] = keyset(job.rejections.all(), request, order="line", size=100)
    return render(request, "datasets/rejections.html", context)


@project_view(Role.VIEWER)
@require_safe
def rejections_file(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponseBase:
    dataset = dataset_get(project=request.project, slug=slug)
    job = import_get(dataset=dataset, import_id=import_id)
    rows = job.rejections.order_by("line", "id").values_list("line", "error").iterator(chunk_size=2_000)
    return stream_response(
        request, csv_lines(["line", "error"], rows), "text/csv; charset=utf-8", "rejected.csv"
    )
