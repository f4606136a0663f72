"""What the page's editors ask while somebody types: what is wrong, what is used, what could come next."""

from __future__ import annotations

from typing import Any, TypeGuard

from django.http import JsonResponse
from django.views.decorators.http import require_POST, require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors
from apps.prompts.rendering.language import FILTERS, KEYWORDS, TESTS
from apps.workbench.bodies import json_body
from apps.workbench.checking import check_typed
from apps.workbench.completing import include_completions


@project_view(Role.VIEWER)
@require_POST
def check(request: ProjectRequest, slug: str) -> JsonResponse:
    """{typed, values, base?}: nothing is stored. `base` is the number of the version it began from."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    body = json_body(request)
    values, number = body.get("values"), body.get("base")
    base = prompt.versions.filter(number=number).first() if is_number(number) else None
    answer = check_typed(
        prompt=prompt, typed=body.get("typed"), values=values if isinstance(values, dict) else {}, base=base
    )
    return JsonResponse(answer)


def is_number(number: Any) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31


@project_view(Role.VIEWER)
@require_safe
def completions(request: ProjectRequest) -> JsonResponse:
    """?q= is what stands between an include's quotation marks so far."""
    found = include_completions(project=request.project, typed=request.GET.get("q", ""))
    words = {"filters": FILTERS, "tests": TESTS, "keywords": KEYWORDS}
    return JsonResponse({**found, **words})
