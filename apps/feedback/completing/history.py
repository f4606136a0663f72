"""Where the earlier messages of a talk stand among those of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.prompts.messages import PLACEHOLDER

#: The placeholder that is meant where a prompt has several.
HISTORY_VARIABLE = "history"
Message = dict[str, Any]


def placeholder_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The name of the prompt's placeholder for messages; "" where it has none."""
    names = [str(message.get("name")) for message in messages if message["role"] == PLACEHOLDER]
    return HISTORY_VARIABLE if HISTORY_VARIABLE in names else (names[0] if names else "")


def with_history(messages: Sequence[Message], history: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The rendered messages of a prompt without a placeholder, with the talk put in.

    A talk whose last word is the assistant's stands before the prompt's last message of a user, which is the
    new question; any other ends with the question itself, and follows the prompt.
    """
    said = [dict(message) for message in history]
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if said and said[-1].get("role") == "assistant" and users:
        return [*messages[: users[-1]], *said, *messages[users[-1] :]]
    return [*messages, *said]
