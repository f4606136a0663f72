"""Beginning conversations, and what holds for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count

from apps.core.actor import Actor
from apps.core.models import Project
from apps.prompts.errors import PromptArchived
from apps.prompts.models import Prompt
from apps.workbench.conversations.errors import ConversationNotFound, InvalidTurn
from apps.workbench.models import Conversation

MOST_WINDOW = 100_000_000
MOST_KEPT = 1_000
MOST_LISTED = 50


def conversation_create(
    *, project: Project, prompt: Prompt, by: Actor, settings: Mapping[str, Any]
) -> Conversation:
    """A conversation without turns. Raises PromptArchived, and InvalidTurn for settings that are none."""
    if prompt.archived_at is not None:
        raise PromptArchived(f"“{prompt.name}” is archived. Restore it before you talk to it.")
    return Conversation.objects.create(
        project=project, prompt=prompt, **checked_settings(settings), **Conversation.author_fields(by)
    )


def conversation_change(*, conversation: Conversation, settings: Mapping[str, Any]) -> Conversation:
    """Change what happens when the window is full, and how large it is. Raises InvalidTurn."""
    changed = checked_settings(settings)
    if changed:
        Conversation.objects.filter(pk=conversation.pk).update(**changed)
    conversation.refresh_from_db()
    return conversation


def conversation_get(*, project: Project, id: Any) -> Conversation:
    """Raises ConversationNotFound."""
    found = Conversation.objects.filter(project=project, pk=id).select_related("prompt__project", "project")
    conversation = found.first()
    if conversation is None:
        raise ConversationNotFound("There is no such conversation in this project (any more).")
    return conversation


def conversations_of(*, prompt: Prompt) -> list[tuple[Conversation, int]]:
    """The newest ones in which something was said, each with the number of its turns."""
    found = Conversation.objects.filter(prompt=prompt).annotate(turn_count=Count("turns"))
    newest = found.filter(turn_count__gt=0).order_by("-changed_at")[:MOST_LISTED]
    return [(each, each.turn_count) for each in newest]


def checked_settings(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What is named in `raw` of policy, keep_last, window, summary_model, title. Raises InvalidTurn."""
    found: dict[str, Any] = {}
    if "policy" in raw:
        if raw["policy"] not in Conversation.Policy.values:
            raise _bad("policy", f"Choose one of {', '.join(Conversation.Policy.values)}.")
        found["policy"] = raw["policy"]
    if "keep_last" in raw:
        found["keep_last"] = _number(raw["keep_last"], "keep_last", MOST_KEPT)
    if "window" in raw:
        value = raw["window"]
        found["window"] = None if value is None else _number(value, "window", MOST_WINDOW)
    for name, longest in (("summary_model", 200), ("title", 120)):
        if name in raw:
            if not isinstance(raw[name], str) or len(raw[name]) > longest:
                raise _bad(name, f"Give a text of at most {longest} characters.")
            found[name] = raw[name].strip()
    return found


def _number(value: Any, name: str, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    raise _bad(name, f"Give a whole number from 1 to {most:,}.")


def _bad(name: str, text: str) -> InvalidTurn:
    return InvalidTurn(text, fields={name: [text]})
