"""Taking prompts in from files, and giving them out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.streams import download
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors
from apps.prompts.exchange.formats import FORMATS
from apps.prompts.exchange.reading import decoded
from apps.prompts.exchange.record import Found
from apps.prompts.exporting import project_export, version_export
from apps.prompts.forms import ImportForm
from apps.prompts.importing import Choice, Outcome, prompts_import, proposed, read_import


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_import(request: ProjectRequest) -> HttpResponse:
    """The form, then what would be made, then making it; the text goes along in the page."""
    initial = {"folder": request.GET.get("folder", "")}
    form = ImportForm(request.POST or None, request.FILES or None, initial=initial)
    context: dict[str, Any] = {"form": form, "into": request.GET.get("into", "")}
    if request.method == "POST" and form.is_valid():
        try:
            formats, found = read_import(form.cleaned_data["raw"])
        except ProductError as error:
            form.add_error("file" if request.FILES else "content", error.detail)
        else:
            saving = "save" in request.POST
            outcomes = _outcomes(request, form, found, saving=saving)
            if saving and not any(one.kind == "failed" for one in outcomes):
                return _saved(request, outcomes)
            context |= {"formats": formats, "outcomes": outcomes, "saved": saving}
            context |= {"content": decoded(form.cleaned_data["raw"]), "form": form}
            return render(request, "prompts/import_preview.html", context)
    context["folders"] = selectors.folder_list(project=request.project)
    return render(request, "prompts/import.html", context, status=400 if form.errors else 200)


def _outcomes(
    request: ProjectRequest, form: ImportForm, found: list[Found], *, saving: bool
) -> list[Outcome]:
    values = form.cleaned_data
    if "looked" in request.POST:
        choices = [
            Choice(
                name=request.POST.get(f"name-{index}", "").replace("\x00", ""),
                into=request.POST.get(f"into-{index}", "").replace("\x00", "").strip(),
                take=f"take-{index}" in request.POST,
            )
            for index in range(len(found))
        ]
    else:
        into = request.GET.get("into", "").replace("\x00", "")
        choices = proposed(project=request.project, found=found, name=values["name"], into=into)
    return prompts_import(
        project=request.project,
        by=request.actor,
        found=found,
        choices=choices,
        folder=values["folder"],
        dry_run=not saving,
    )


def _saved(request: ProjectRequest, outcomes: list[Outcome]) -> HttpResponse:
    """All went well: to the prompt, when it is one, else to the list."""
    made = [one for one in outcomes if one.kind in ("created", "saved")]
    if not made:
        messages.info(request, "Nothing was to be saved.")
    elif len(made) == 1:
        messages.success(request, f"Version {made[0].number} of “{made[0].slug}” was imported.")
        return redirect("workbench:prompt", request.project.slug, made[0].slug)
    else:
        messages.success(request, f"{len(made)} prompts were imported.")
    return redirect("prompts:list", request.project.slug)


@project_view(Role.VIEWER)
@require_safe
def prompt_export(request: ProjectRequest, slug: str) -> HttpResponseBase:
    """A version in a format, to look at and copy; with ?download the file itself."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    version = selectors.version_get(prompt=prompt, version=request.GET.get("version") or selectors.LATEST)
    exported = version_export(version=version, format=request.GET.get("format") or "yaml")
    if "download" in request.GET:
        kind = f"{exported.format.content_type}; charset=utf-8"
        return download(request, iter([exported.text]), name=exported.filename, content_type=kind)
    context = {
        "prompt": prompt,
        "version": version,
        "exported": exported,
        "formats": FORMATS.values(),
        "numbers": selectors.version_numbers(prompt=prompt),
    }
    return render(request, "prompts/export.html", context)


@project_view(Role.EDITOR)
@require_safe
def project_export_all(request: ProjectRequest) -> HttpResponseBase:
    """The newest version of every prompt in one file of our YAML."""
    lines = project_export(project=request.project)
    kind = "application/yaml; charset=utf-8"
    return download(request, lines, name=f"{request.project.slug}.prompts.yaml", content_type=kind)
