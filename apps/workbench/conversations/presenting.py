"""A conversation as JSON for its page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from apps.providers.models import Model
from apps.providers.protocol import ErrorKind
from apps.workbench.calls.presenting import call_as_json
from apps.workbench.conversations.messages import open_tool_calls, said_in
from apps.workbench.conversations.planning import last_counter, last_told, model_window
from apps.workbench.conversations.turns import turns_of
from apps.workbench.models import Call, Conversation, Turn

#: "This model's maximum context length is 4096 tokens"
_TOLD_WINDOW = re.compile(r"(?:length|window|limit|maximum|max)\D{0,40}?([\d,]{3,12})", re.IGNORECASE)


def conversation_as_json(conversation: Conversation) -> dict[str, Any]:
    """Everything the page draws. `sent_from`: turns below this position are not sent any more."""
    turns = turns_of(conversation)
    shown = [_turn(turn) for turn in turns]
    answers = [turn for turn in turns if turn.role == Turn.Role.ASSISTANT and turn.call]
    return {
        **summary_line(conversation),
        "policy": conversation.policy,
        "keep_last": conversation.keep_last,
        "window": conversation.window,
        "summary_model": conversation.summary_model,
        "summary": conversation.summary,
        "summary_until": conversation.summary_until,
        "summary_call": _call(conversation.summary_call),
        "revision": conversation.revision,
        "turns": shown,
        "open_tool_calls": open_tool_calls(turns),
        "sent_from": max(answers[-1].left_out if answers else 0, 0),
        "usage": usage(conversation, turns),
    }


def summary_line(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "by": conversation.author_label,
        "created_at": conversation.created_at.isoformat(),
        "changed_at": conversation.changed_at.isoformat(),
    }


def usage(conversation: Conversation, turns: Sequence[Turn]) -> dict[str, Any]:
    """How full the window is, in tokens: `reported` is what the provider counted for the last answer and its
    question, `estimated` what was said since. `scale` is how many tokens the model counts for one of ours.
    """
    told = last_told(turns)
    counter = last_counter(turns)
    since = [turn for turn in turns if told is None or turn.position > _position_of(turns, told)]
    model = told.model if told else _last_model(turns)
    return {
        "window": model_window(conversation, model),
        "model_window": model.context_window if model else None,
        "reported": (told.input_tokens or 0) + (told.output_tokens or 0) if told else None,
        "estimated": counter.of_all(each.message for each in said_in(since)),
        "scale": counter.scale,
    }


def _position_of(turns: Sequence[Turn], call: Call) -> int:
    return next(turn.position for turn in turns if turn.call_id == call.pk)


def _last_model(turns: Sequence[Turn]) -> Model | None:
    return next((turn.call.model for turn in reversed(turns) if turn.call), None)


def _turn(turn: Turn) -> dict[str, Any]:
    call = turn.call
    too_long = call is not None and call.error_kind == ErrorKind.CONTEXT_LENGTH.value
    return {
        "position": turn.position,
        "role": turn.role,
        "content": turn.content,
        "tool_call_id": turn.tool_call_id,
        "call": _call(call),
        "summary_call": _call(turn.waits_for),
        "left_out": turn.left_out,
        "error": turn.error,
        "too_long": too_long,
        "told_window": told_window(call.error) if call is not None and too_long else None,
    }


def told_window(error: str) -> int | None:
    """The window's size in tokens that a provider named in its refusal; None where it named none."""
    found = _TOLD_WINDOW.search(error)
    return int(found[1].replace(",", "")) if found and found[1].strip(",") else None


def _call(call: Call | None) -> dict[str, Any] | None:
    return call_as_json(call) if call else None
