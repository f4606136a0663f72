"""Saved versions: the list of them, one of them, and what differs between two."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors
from apps.prompts.diff import diff_versions, flat_parameters, pretty_json
from apps.prompts.forms import DiffForm
from apps.prompts.including import kept_includes


@project_view(Role.VIEWER)
@require_safe
def version_list(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    page = keyset(selectors.version_history(prompt=prompt), request, order="-number")
    context = {"prompt": prompt, "page": page, "is_editor": request.actor.may(Role.EDITOR)}
    return render(request, "prompts/versions.html", context)


@project_view(Role.VIEWER)
@require_safe
def version_detail(request: ProjectRequest, slug: str, number: int) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    version = selectors.version_get(prompt=prompt, version=number)
    context = {
        "prompt": prompt,
        "version": version,
        "labels": sorted(label.name for label in version.labels.all()),
        "parameters": flat_parameters(version.parameters),
        "response_schema": pretty_json(version.response_schema),
        "includes": kept_includes(project=request.project, version=version),
        "is_editor": request.actor.may(Role.EDITOR),
    }
    return render(request, "prompts/version.html", context)


@project_view(Role.VIEWER)
@require_safe
def version_diff(request: ProjectRequest, slug: str) -> HttpResponse:
    """?old=1&new=2; without them the newest version and the one before it."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    numbers = selectors.version_numbers(prompt=prompt)
    newest_two = {"old": numbers[1] if len(numbers) > 1 else None, "new": numbers[0] if numbers else None}
    asked = {name: request.GET.get(name) or newest_two[name] for name in ("old", "new")}
    form = DiffForm(asked, numbers=numbers)
    context = {"prompt": prompt, "form": form, "count": len(numbers)}
    if len(numbers) > 1 and form.is_valid():
        old = selectors.version_get(prompt=prompt, version=form.cleaned_data["old"])
        new = selectors.version_get(prompt=prompt, version=form.cleaned_data["new"])
        context |= {
            "old": old,
            "new": new,
            "diff": diff_versions(old, new),
            "old_labels": sorted(label.name for label in old.labels.all()),
            "new_labels": sorted(label.name for label in new.labels.all()),
        }
    return render(request, "prompts/diff.html", context)
