"""How a prompt is used from outside."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors
from apps.prompts.snippets import snippets_of


@project_view(Role.VIEWER)
@require_safe
def prompt_use(request: ProjectRequest, slug: str) -> HttpResponse:
    """Programs to copy, for a label, a version, or whatever is newest; into the drawer, or as a page."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    which = request.GET.get("version") or selectors.LATEST
    version = selectors.version_get(prompt=prompt, version=which)
    label = "" if which == selectors.LATEST or which.isdigit() else which
    snippets = snippets_of(
        version, base_url=settings.PUBLIC_URL, label=label, pinned=which != selectors.LATEST
    )
    context = {
        "prompt": prompt,
        "version": version,
        "which": which,
        "snippets": snippets,
        "is_admin": request.actor.may(Role.ADMIN),
        "labels": selectors.label_list(prompt=prompt),
        "numbers": selectors.version_numbers(prompt=prompt),
    }
    template = "prompts/_use.html" if request.htmx else "prompts/use.html"
    return render(request, template, context)
