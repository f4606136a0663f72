"""Pages and buttons of the registry that change something, and the export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.training.models import ModelState, ModelVersion
from apps.training.registry import keeping
from apps.training.registry.archives import archive_response
from apps.training.registry.bases import importable_folders
from apps.training.registry.exporting import export_begin
from apps.training.registry.forms import DescriptionForm, ImportForm, NoteForm
from apps.training.registry.importing import import_ask
from apps.training.registry.merging import version_merge
from apps.training.registry.selectors import version_get
from apps.training.registry.uses import uses_of


@project_view(Role.EDITOR)
def model_import(request: ProjectRequest) -> HttpResponse:
    form = ImportForm(
        request.POST or None, request.FILES or None, project=request.project, folders=importable_folders()
    )
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            work = import_ask(
                project=request.project,
                by=request.actor,
                name=asked["name"],
                file=asked["file"],
                filename=asked["file"].name if asked["file"] else "",
                folder=asked["folder"],
                base=form.chosen_base(),
                licence=asked["licence"],
                data_licence=asked["data_licence"],
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("training:model-work", request.project.slug, work.pk)
    return render(request, "training/model_import.html", {"form": form}, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
@require_safe
def model_export(request: ProjectRequest, name: str, number: int) -> HttpResponseBase:
    version = version_get(project=request.project, name=name, number=number)
    pieces = export_begin(version=version, by=request.actor) if request.method == "GET" else iter(())
    return archive_response(request, pieces, f"{version.full_name}.zip")


@project_view(Role.EDITOR)
@require_POST
def model_merge(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    work = version_merge(version=version, by=request.actor)
    return redirect("training:model-work", request.project.slug, work.pk)


@project_view(Role.EDITOR)
@require_POST
def model_note(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    form = NoteForm(request.POST)
    if form.is_valid():
        keeping.note_add(version=version, by=request.actor, text=form.cleaned_data["text"])
    else:
        messages.error(request, "The note is empty or too long.")
    return _back(request, name, number)


@project_view(Role.EDITOR)
@require_POST
def model_describe(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    form = DescriptionForm(request.POST)
    if form.is_valid():
        keeping.version_describe(version=version, by=request.actor, **form.cleaned_data)
    else:
        messages.error(request, "The description is too long.")
    return _back(request, name, number)


@project_view(Role.APPROVER)
@require_POST
def model_archive(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    said = f"{version.full_name} is archived: prompts can no longer name it."
    return _moved(request, version, keeping.version_archive, said)


@project_view(Role.APPROVER)
@require_POST
def model_restore(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    return _moved(request, version, keeping.version_restore, f"{version.full_name} is served again.")


def _moved(
    request: ProjectRequest, version: ModelVersion, move: Callable[..., ModelState], said: str
) -> HttpResponse:
    """Do it, or say on the version's page why not: who uses it stands there, with links."""
    try:
        move(version=version, by=request.actor)
    except ProductError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, said)
    return _back(request, version.name, version.number)


@project_view(Role.APPROVER)
def model_delete(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    """First who uses it; then the deed, which an answered question confirms."""
    version = version_get(project=request.project, name=name, number=number)
    context: dict[str, Any] = {"version": version, "uses": uses_of(version), "error": ""}
    context["blocked"] = any(use.blocks for use in context["uses"])
    context["is_deleted"] = version.state.state == ModelState.State.DELETED
    if request.method == "POST":
        try:
            keeping.version_delete(
                version=version, by=request.actor, even_so=request.POST.get("even_so") == "yes"
            )
        except ProductError as error:
            context["error"] = error.detail
            return render(request, "training/model_delete.html", context, status=error.status)
        messages.success(request, f"The files of {version.full_name} are deleted.")
        return redirect("training:model-list", request.project.slug)
    return render(request, "training/model_delete.html", context)


def _back(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    return redirect("training:model-detail", request.project.slug, name, number)
