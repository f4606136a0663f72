"""Running a prompt for an application: a worker answers, whoever asked waits for the call's own stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from apps.core.actor import Actor
from apps.core.models import Project, new_id
from apps.feedback.completing.history import HISTORY_VARIABLE, placeholder_of, with_history
from apps.feedback.completing.waiting import call_events, call_read
from apps.feedback.models import FeedbackSettings
from apps.feedback.thumbs.tokens import KEYS, feedback_token, subject_of
from apps.prompts.errors import VersionNotFound
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import LATEST, version_get
from apps.workbench.calls.columns import call_plan
from apps.workbench.calls.database_threads import in_database
from apps.workbench.calls.services import calls_start, changed_content
from apps.workbench.models import Call

__all__ = [
    "HISTORY_VARIABLE",
    "TokenAsked",
    "completion_as_json",
    "completion_events",
    "completion_start",
    "version_to_run",
]
#: What runs where the application names neither a version nor a label.
DEFAULT_LABEL = "production"
#: How long a caller waits who does not say.
WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class TokenAsked:
    """The feedback token that goes with an answer: what it lets its holder say, and for how long; `hours`
    None is what the project's settings say.
    """

    keys: tuple[str, ...] = KEYS
    hours: int | None = None


def version_to_run(*, prompt: Prompt) -> PromptVersion:
    """The version of the label production, else the newest. Raises VersionNotFound."""
    try:
        return version_get(prompt=prompt, version=DEFAULT_LABEL)
    except VersionNotFound:
        return version_get(prompt=prompt, version=LATEST)


def completion_start(
    *,
    project: Project,
    by: Actor,
    prompt: Prompt,
    version: PromptVersion,
    inputs: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
    user: str = "",
    session: str = "",
    model: str = "",
    parameters: Mapping[str, Any] | None = None,
    keep: bool = True,
) -> Call:
    """Ask the workers to run `version` for an application's `user` in its `session`.

    `history` are the earlier messages of a talk: they take the place of the prompt's placeholder, else stand
    where `with_history` says. Without `keep` the call is stopped once nobody waits for it.
    Raises InvalidContent, InvalidRun, PromptArchived, BudgetUsedUp.
    """
    content = changed_content(version, model=model, parameters=parameters or {})
    values, place = dict(inputs), placeholder_of(content.messages)
    if place and (history or place not in values):
        values[place] = [dict(message) for message in history]
    planned = call_plan(prompt=prompt, content=content, inputs=values, version=version)
    if history and not place:
        planned = replace(planned, messages=with_history(planned.messages, history))
    [call] = calls_start(
        project=project,
        by=by,
        prompt=prompt,
        page=new_id(),
        planned=[planned],
        purpose=Call.Purpose.APPLICATION,
        keep=keep,
        session=session,
        end_user=user,
    )
    return call


async def completion_events(
    call: Call,
    *,
    within_s: float = WAIT_S,
    token: TokenAsked | None = TokenAsked(),
) -> AsyncIterator[dict[str, Any]]:
    """{"type": "text", "text": a piece} as they come, then the end: {"type": "done" | "failed" | "cancelled"}
    with all of `completion_as_json`. Raises CompletionTimedOut, TooManyWaiting.

    A call without `keep` is stopped when the reader goes before the end.
    """
    async for event in call_events(call, within_s=within_s):
        if event["type"] == "text":
            yield {"type": "text", "text": event["text"]}
        else:
            told = await in_database(lambda: completion_as_json(call_read(call.pk), token=token))
            yield {"type": event["type"], **told}


def completion_as_json(call: Call, *, token: TokenAsked | None = TokenAsked()) -> dict[str, Any]:
    """A call that has ended, as an application reads it. `span_id` and `feedback_token` are None for one that
    never reached a worker.
    """
    version = call.prompt_version
    return {
        "id": str(call.pk),
        "status": call.status,
        "text": call.output,
        "tool_calls": call.tool_calls,
        "finish_reason": call.finish_reason,
        "error_kind": call.error_kind,
        "error": call.error,
        "usage": {
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "cost_usd": None if call.cost_usd is None else float(call.cost_usd),
        },
        "span_id": str(call.span_id) if call.span_id else None,
        "feedback_token": _token(call, token) if token and call.span_id else None,
        "prompt": call.prompt.slug,
        "prompt_version": version.number if version else None,
        "model": call.model_name,
        "user": call.end_user,
        "session": call.session,
        "time_to_first_token_ms": call.time_to_first_token_ms,
        "duration_ms": call.duration_ms,
        "created_at": call.created_at.isoformat(),
    }


def _token(call: Call, asked: TokenAsked) -> str:
    hours = asked.hours
    if hours is None:
        settings = FeedbackSettings.objects.filter(project_id=call.project_id).values_list("token_hours")
        hours = (settings.first() or (FeedbackSettings().token_hours,))[0]
    assert call.span_id is not None
    return feedback_token(
        project_id=call.project_id,
        span_id=call.span_id,
        subject=subject_of(project_id=call.project_id, user=_person(call)),
        keys=asked.keys,
        valid_for=timedelta(hours=hours),
    )


def _person(call: Call) -> str:
    """Whose vote it is: the named user's, else the session's, else of whoever holds this answer's token."""
    if call.end_user:
        return call.end_user
    return f"session:{call.session}" if call.session else f"call:{call.pk}"
