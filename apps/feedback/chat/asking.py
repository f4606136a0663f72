"""How a prompt becomes a chat: what a message fills in, what else it asks for, and the call of one turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from apps.core.actor import Actor
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.feedback.completing.services import (
    DEFAULT_LABEL,
    completion_as_json,
    completion_start,
    version_to_run,
)
from apps.prompts.errors import VersionNotFound
from apps.prompts.messages import PLACEHOLDER
from apps.prompts.models import Prompt, PromptLabel, PromptVersion
from apps.prompts.preview import value_of
from apps.prompts.rendering import Variable, variables_of
from apps.prompts.services import content_of
from apps.workbench.calls.stream import told_so_far
from apps.workbench.models import Call

MOST_MESSAGES, MOST_CHARS = 200, 400_000
MOST_QUESTION_CHARS = 100_000
_ENDED = (Call.Status.COMPLETED, Call.Status.FAILED, Call.Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Chat:
    """A version as a chat. `question` is the variable that a message fills in; "" where a message is one of
    its own, after what was said before. `others` are asked for beside the talk."""

    version: PromptVersion
    is_production: bool
    question: str
    others: tuple[Variable, ...]


def prompts_to_chat_with(project: Project) -> QuerySet[Prompt]:
    """Prompts with a version in production, by name; each with `production`, its label."""
    production = PromptLabel.objects.filter(name=DEFAULT_LABEL).select_related("version")
    return (
        Prompt.objects.filter(project=project, archived_at=None, labels__name=DEFAULT_LABEL)
        .prefetch_related(Prefetch("labels", production, to_attr="production"))
        .order_by("name", "pk")
    )


def chat_of(prompt: Prompt) -> Chat | None:
    """The chat with what the prompt has in production, else with its newest version; None without any."""
    try:
        version = version_to_run(prompt=prompt)
    except VersionNotFound:
        return None
    content = content_of(version)
    question = _question(content.messages, content.includes)
    asked = variables_of(content.messages, content.includes)
    return Chat(
        version=version,
        is_production=version.labels.filter(name=DEFAULT_LABEL).exists(),
        question=question,
        others=tuple(each for each in asked if not each.is_messages and each.name != question),
    )


def _question(messages: Sequence[Mapping[str, Any]], includes: Mapping[str, Any]) -> str:
    """The last variable of the last user message, unless the talk goes in behind that message."""
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    talks = [place for place, message in enumerate(messages) if message["role"] == PLACEHOLDER]
    if not users or (talks and talks[-1] > users[-1]):
        return ""
    asked = variables_of([messages[users[-1]]], dict(includes))
    return asked[-1].name if asked else ""


def turn_start(
    *,
    prompt: Prompt,
    by: Actor,
    text: str,
    history: Any,
    values: Mapping[str, Any],
    session: str,
) -> Call:
    """Ask for the answer to `text`, after the messages `history` of the same talk.

    Raises InvalidInput, VersionNotFound, and what `completion_start` raises.
    """
    if not text.strip() or len(text) > MOST_QUESTION_CHARS:
        raise InvalidInput(f"Write a message of at most {MOST_QUESTION_CHARS:,} characters.")
    said = _history_read(history)
    chat = chat_of(prompt)
    if chat is None:
        raise VersionNotFound(f"“{prompt.name}” has no version yet. Save one, then chat with it.")
    names = {each.name for each in chat.others}
    inputs = {name: value_of(value) for name, value in values.items() if name in names and _is_text(value)}
    if chat.question:
        inputs[chat.question] = text
    else:
        said.append({"role": "user", "content": text})
    return completion_start(
        project=prompt.project,
        by=by,
        prompt=prompt,
        version=chat.version,
        inputs=inputs,
        history=said,
        user=by.label[:200],
        session=session[:200],
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _history_read(history: Any) -> list[dict[str, str]]:
    messages = history if isinstance(history, list) else []
    said = []
    for message in messages:
        told = message if isinstance(message, dict) else {}
        role, content = told.get("role"), told.get("content")
        if role not in ("user", "assistant") or not isinstance(content, str):
            raise InvalidInput("A message of the talk cannot be read. Begin a new conversation.")
        said.append({"role": role, "content": content})
    if len(said) > MOST_MESSAGES or sum(len(message["content"]) for message in said) > MOST_CHARS:
        raise InvalidInput("The conversation has become too long. Begin a new one.")
    return said


def turn_of(*, project: Project, by: Actor, call_id: UUID) -> Call:
    """A turn that this person asked for. Raises NotFound."""
    found = Call.objects.filter(
        pk=call_id, project=project, purpose=Call.Purpose.APPLICATION, author_kind=by.kind, author_id=by.id
    )
    call = found.select_related("prompt", "prompt_version").first()
    if call is None:
        raise NotFound("There is no such answer. Begin a new conversation.")
    return call


def turn_as_json(call: Call) -> dict[str, Any]:
    """An answer, or as much of it as came so far."""
    if call.status in _ENDED:
        return completion_as_json(call)
    return {"id": str(call.pk), "status": call.status, "text": told_so_far(call)}
