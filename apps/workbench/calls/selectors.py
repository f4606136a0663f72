"""Reading calls; every query starts from the project."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from apps.core.actor import Actor
from apps.core.models import Project
from apps.prompts.models import Prompt
from apps.workbench.calls.errors import CallNotFound
from apps.workbench.models import Call

#: Calls of a page that it is told of when it comes back.
MOST_OF_PAGE = 200


def calls_of_prompt(*, prompt: Prompt) -> QuerySet[Call]:
    return Call.objects.filter(prompt=prompt).select_related("prompt_version")


def calls_of_page(*, prompt: Prompt, by: Actor, page: UUID) -> list[Call]:
    """The newest calls that this person's page asked for, oldest first."""
    calls = calls_of_prompt(prompt=prompt).filter(
        project=prompt.project_id, page=page, author_kind=by.kind, author_id=by.id
    )
    return list(reversed(calls.order_by("-pk")[:MOST_OF_PAGE]))


def call_get(*, project: Project, id: UUID) -> Call:
    """Raises CallNotFound."""
    call = Call.objects.filter(project=project, pk=id).select_related("prompt", "prompt_version").first()
    if call is None:
        raise CallNotFound("There is no such call in this project (any more).")
    return call
