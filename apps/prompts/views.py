"""The list of prompts; making, renaming, moving and archiving one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset, sort_field
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors, services
from apps.prompts.forms import NewPromptForm, PromptForm

SORTS = {"name": "name", "changed": "changed_at", "folder": "folder"}


@project_view(Role.VIEWER)
@require_safe
def prompt_list(request: ProjectRequest) -> HttpResponse:
    query = request.GET
    archived = query.get("show") == "archived"
    prompts = selectors.prompt_list(
        project=request.project,
        search=query.get("q", ""),
        folder=query.get("folder") or None,
        archived=archived,
    )
    context = {
        "page": keyset(prompts, request, order=sort_field(request, SORTS, "-changed")),
        "folders": selectors.folder_list(project=request.project),
        "archived": archived,
        "filtered": bool(query.get("q") or query.get("folder")),
        "may_edit": request.actor.may(Role.EDITOR),
        "is_admin": request.actor.may(Role.ADMIN),
    }
    return render(request, "prompts/list.html", context)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_create(request: ProjectRequest) -> HttpResponse:
    form = NewPromptForm(request.POST or None, initial={"folder": request.GET.get("folder", "")})
    if request.method == "POST" and form.is_valid():
        try:
            prompt = services.prompt_create(project=request.project, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("workbench:prompt", request.project.slug, prompt.slug)
    folders = selectors.folder_list(project=request.project)
    status = 400 if form.errors else 200
    return render(request, "prompts/new.html", {"form": form, "folders": folders}, status=status)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_settings(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    initial = {"name": prompt.name, "folder": prompt.folder}
    form = PromptForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.prompt_change(prompt=prompt, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, "Saved.")
            return redirect("workbench:prompt", request.project.slug, slug)
    folders = selectors.folder_list(project=request.project)
    context = {"prompt": prompt, "form": form, "folders": folders}
    return render(request, "prompts/settings.html", context, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
@require_POST
def prompt_archive(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    services.prompt_archive(prompt=prompt, by=request.actor)
    messages.success(request, f"“{prompt.name}” is archived. Runs that use it go on; you can restore it.")
    return redirect("prompts:list", request.project.slug)


@project_view(Role.EDITOR)
@require_POST
def prompt_restore(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    services.prompt_restore(prompt=prompt, by=request.actor)
    messages.success(request, f"“{prompt.name}” is back in the list.")
    return redirect("workbench:prompt", request.project.slug, slug)
