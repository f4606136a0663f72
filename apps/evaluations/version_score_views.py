"""How a prompt's versions score: a fragment of the prompt's page, and a page of its own without htmx."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.version_scores import version_scores
from apps.prompts.selectors import prompt_get, version_history

VERSIONS_A_PAGE = 20


@project_view(Role.VIEWER)
@require_safe
def version_scores_page(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = prompt_get(project=request.project, slug=slug)
    page = keyset(version_history(prompt=prompt), request, order="-number", size=VERSIONS_A_PAGE)
    asked = {name: request.GET.get(name, "") for name in ("dataset", "metric")}
    scores = version_scores(prompt=prompt, versions=page.rows, **asked)
    context = {
        "prompt": prompt,
        "page": page,
        "scores": scores,
        "may_edit": request.actor.may(Role.EDITOR),
    }
    template = "evaluations/_version_scores.html" if request.htmx else "evaluations/version_scores.html"
    return render(request, template, context)
