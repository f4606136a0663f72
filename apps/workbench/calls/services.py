"""Asking for calls to models, and stopping them. A call is made by a worker, and told to its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.dispatch import enqueue
from apps.core.models import Project, new_id
from apps.prompts.content import VersionContent
from apps.prompts.errors import PromptArchived
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import checked_content, content_of
from apps.providers.connection import LOCAL
from apps.workbench.calls.columns import Planned, call_plan, columns_read
from apps.workbench.calls.finishing import calls_end
from apps.workbench.calls.outcomes import STOPPED, broken_off
from apps.workbench.calls.spending import check_month
from apps.workbench.calls.stream import Page, note_presence, told_so_far
from apps.workbench.models import Call

Status = Call.Status
#: How long a call may wait for a worker before the sweep sends its message again (which does no harm).
PATIENCE = timedelta(seconds=20)
ANSWER_TASK = "worker.workbench.answer_call"
ANSWER_LOCAL_TASK = "worker.workbench.answer_local_calls"


def run_start(
    *,
    project: Project,
    by: Actor,
    prompt: Prompt,
    page: UUID,
    columns: Any,
    values: Mapping[str, Any],
    keep: bool = False,
    batch: UUID | None = None,
) -> list[Call]:
    """Run columns of a page, as typed, together. Raises InvalidRun, PromptArchived, BudgetUsedUp.

    The same `batch` asked for again (after an answer that was lost) gives the calls that there are.
    """
    planned = columns_read(prompt=prompt, columns=columns, values=values)
    return calls_start(
        project=project, by=by, prompt=prompt, page=page, planned=planned, keep=keep, batch=batch
    )


def calls_start(
    *,
    project: Project,
    by: Actor,
    prompt: Prompt,
    page: UUID,
    planned: Sequence[Planned],
    purpose: str = Call.Purpose.RUN,
    keep: bool = False,
    batch: UUID | None = None,
    session: str = "",
    end_user: str = "",
) -> list[Call]:
    """Ask the workers for these calls. Raises PromptArchived, BudgetUsedUp."""
    if prompt.archived_at is not None:
        raise PromptArchived(f"“{prompt.name}” is archived. Restore it before you run it.")
    check_month(project=project, models=[each.model for each in planned])
    batch = batch or new_id()
    told = {"purpose": purpose, "keep": keep, "session": session, "end_user": end_user}
    asked = Call.objects.filter(project=project, page=page, batch=batch, author_id=by.id, prompt=prompt)
    with transaction.atomic():
        Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)  # the same batch twice at once
        if there := list(asked.select_related("prompt_version").order_by("pk")):
            return there
        calls = Call.objects.bulk_create(
            _call(prompt, by, each, page=page, batch=batch, **told) for each in planned
        )
        _enqueue(calls)
    note_presence(Page.of_actor(project=project, by=by, page=page))
    return calls


def version_call_start(
    *,
    prompt: Prompt,
    by: Actor,
    version: PromptVersion,
    inputs: Mapping[str, Any],
    model: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> Call:
    """Call a saved version, with another model or other parameters where they are given. No page follows it.

    Raises InvalidContent for parameters that are not valid, and what `calls_start` and `call_plan` raise.
    """
    content = changed_content(version, model=model, parameters=parameters or {})
    planned = call_plan(prompt=prompt, content=content, inputs=inputs, version=version)
    [call] = calls_start(
        project=prompt.project, by=by, prompt=prompt, page=new_id(), planned=[planned], keep=True
    )
    return call


def changed_content(
    version: PromptVersion, *, model: str = "", parameters: Mapping[str, Any]
) -> VersionContent:
    """What a saved version says, with another model or other parameters. Raises InvalidContent."""
    content = content_of(version)
    changed = {**content.parameters, **parameters} | ({"model": model} if model else {})
    if changed != content.parameters:
        checked = checked_content(content.messages, changed, content.tools, content.response_schema)
        content = replace(content, parameters=checked.parameters)
    return content


def _call(prompt: Prompt, by: Actor, planned: Planned, **told: Any) -> Call:
    return Call(
        project_id=prompt.project_id,
        prompt=prompt,
        prompt_version=planned.version,
        column=planned.column,
        lease_until=timezone.now() + PATIENCE,
        model=planned.model,
        model_name=str(planned.content.parameters["model"])[:200],
        content={**planned.content.fields(), "includes": planned.includes},
        inputs=planned.inputs,
        messages=planned.messages,
        **Call.author_fields(by),
        **told,
    )


def _enqueue(calls: Sequence[Call]) -> None:
    local = [call for call in calls if call.model and call.model.provider.kind == LOCAL]
    for call in calls:
        if call not in local:
            call_enqueue(call.pk)
    if local:
        local_calls_enqueue()


def call_enqueue(call_id: UUID) -> None:
    enqueue(ANSWER_TASK, queue="interactive", call_id=str(call_id))


def local_calls_enqueue() -> None:
    """One task takes all calls to the embedded model that wait by then, and answers them together."""
    enqueue(ANSWER_LOCAL_TASK, queue="local")


def call_stop(*, call: Call) -> Call:
    """Have the call stopped: at once where nobody works on it yet, else within the worker's next look.

    One that has ended stays as it is.
    """
    this = Call.objects.filter(pk=call.pk)
    if calls_end(this.filter(status=Status.PENDING), broken_off(STOPPED)) is None:
        lost = this.filter(status=Status.RUNNING, lease_until__lt=timezone.now())
        if lost.exists():
            calls_end(lost, broken_off(STOPPED, output=told_so_far(call)))
        calls_ask_to_stop(this)
    call.refresh_from_db()
    return call


def calls_ask_to_stop(calls: QuerySet[Call]) -> int:
    running = calls.filter(status=Status.RUNNING, cancel_requested_at=None)
    return running.update(cancel_requested_at=timezone.now())
