"""The list of prompts; making, renaming, moving and archiving one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset, sort_field
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors, services
from apps.prompts.copying import prompt_duplicate as duplicate
from apps.prompts.folders import folder_tree
from apps.prompts.forms import DuplicateForm, NewPromptForm, PromptForm
from apps.prompts.included_versions import included_by
from apps.prompts.search import clean_search, matches_of, too_many

SORTS = {"name": "name", "changed": "changed_at", "folder": "folder", "relevance": "relevance"}
_SHOWN_TAGS = 40
MAX_MOVED = 200


@project_view(Role.VIEWER)
@require_safe
def prompt_list(request: ProjectRequest) -> HttpResponse:
    query = request.GET
    archived = query.get("show") == "archived"
    words, folder = clean_search(query.get("q", "")), query.get("folder", "").replace("\x00", "")
    tags = [tag.replace("\x00", "") for tag in query.getlist("tag")]
    prompts = selectors.prompt_list(
        project=request.project, search=words, folder=folder or None, tags=tags, archived=archived
    )
    sorts = SORTS if words else {name: field for name, field in SORTS.items() if name != "relevance"}
    default = "-relevance" if words else "-changed"
    page = keyset(prompts, request, order=sort_field(request, sorts, default))
    matches = matches_of(page.rows, words=words)
    counts = selectors.folder_counts(project=request.project, archived=archived)
    context = {
        "page": page,
        "too_many": bool(words and page.next_url) and too_many(project=request.project, words=words),
        "rows": [(prompt, matches.get(prompt.pk)) for prompt in page.rows],
        "default_sort": default,
        "tree": folder_tree(counts, folder),
        "folders": [path for path, _ in counts],
        "tags": selectors.tag_counts(project=request.project, archived=archived)[:_SHOWN_TAGS],
        "chosen_tags": tags,
        "folder": folder,
        "words": words,
        "archived": archived,
        "filtered": bool(words or folder or tags),
        "may_edit": request.actor.may(Role.EDITOR),
        "is_admin": request.actor.may(Role.ADMIN),
    }
    return render(request, "prompts/list.html", context)


@project_view(Role.EDITOR)
@require_POST
def prompts_move(request: ProjectRequest) -> HttpResponse:
    """Put the prompts that were ticked into a folder, then show the list as it was."""
    chosen = request.POST.getlist("prompt")[:MAX_MOVED]
    prompts = selectors.prompts_by_slug(project=request.project, slugs=chosen)
    folder = services.clean_folder(request.POST.get("folder", "").replace("\x00", ""))
    back = request.POST.get("back", "")
    if not prompts:
        messages.warning(request, "Tick the prompts that are to move first.")
    else:
        moved = services.prompts_move(prompts=prompts, by=request.actor, folder=folder)
        where = f"to “{folder}”" if folder else "out of their folders"
        messages.success(request, f"{moved} prompt{'' if moved == 1 else 's'} moved {where}.")
    address = reverse("prompts:list", args=[request.project.slug])
    return redirect(address + (back if back.startswith("?") else ""))


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
    initial = {"name": prompt.name, "folder": prompt.folder, "tags": ", ".join(prompt.tags)}
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
    context["included_by"] = list(included_by(prompt=prompt))
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


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def prompt_duplicate(request: ProjectRequest, slug: str) -> HttpResponse:
    """A new prompt that begins with a version of this one."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    version = selectors.version_get(prompt=prompt, version=request.GET.get("version") or selectors.LATEST)
    initial = {"name": f"{prompt.name[:110]} copy", "folder": prompt.folder, "version": version.number}
    numbers = selectors.version_numbers(prompt=prompt)
    form = DuplicateForm(request.POST if request.method == "POST" else None, initial=initial, numbers=numbers)
    if request.method == "POST" and form.is_valid():
        wanted = dict(form.cleaned_data)
        chosen = selectors.version_get(prompt=prompt, version=wanted.pop("version"))
        try:
            made, _ = duplicate(version=chosen, by=request.actor, **wanted)
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(
                request, f"“{made.name}” begins with version {chosen.number} of “{prompt.name}”."
            )
            return redirect("workbench:prompt", request.project.slug, made.slug)
    context = {"prompt": prompt, "form": form, "folders": selectors.folder_list(project=request.project)}
    return render(request, "prompts/duplicate.html", context, status=400 if form.errors else 200)
