"""The draft of the person who asks: read, kept, discarded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_http_methods

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.bodies import json_body
from apps.workbench.drafts.documents import MAX_BYTES
from apps.workbench.drafts.selectors import draft_as_json, latest_as_json
from apps.workbench.drafts.services import draft_discard, draft_keep

_MOST = 2**31 - 1


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "PUT", "DELETE"])
def draft(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = prompt_get(project=request.project, slug=slug)
    if request.method == "PUT":
        # Escaped characters take up to six bytes on the way; what counts is checked when it is read.
        kept = draft_keep(prompt=prompt, owner=request.user, **_wanted(json_body(request, 3 * MAX_BYTES)))
        answer = {"revision": kept.revision, "saved_at": kept.changed_at.isoformat()}
        return JsonResponse(answer | {"latest": latest_as_json(prompt=prompt)})
    if request.method == "DELETE":
        draft_discard(prompt=prompt, owner=request.user)
    return JsonResponse(draft_as_json(prompt=prompt, user=request.user))


def _wanted(body: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: body.get(name, 0) for name in ("revision", "turn")}
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
            raise InvalidInput(f"{name} has to be a whole number.", fields={name: ["Give a whole number."]})
    pages = {name: _uuid(body, name) for name in ("page", "follows")}
    return {"document": body.get("document"), **pages, **numbers}


def _uuid(body: dict[str, Any], name: str) -> UUID | None:
    try:
        return UUID(str(body[name])) if body.get(name) else None
    except ValueError as error:
        raise InvalidInput(f"{name} has to be a UUID.", fields={name: ["Give a UUID."]}) from error
