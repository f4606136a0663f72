"""From turns to the messages that are sent, and from a prompt to what stands around the talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.workbench.conversations.fitting import SYSTEM_ROLES
from apps.workbench.models import Call, Turn

Message = dict[str, Any]
#: The placeholder whose place the talk takes.
HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the talk, and the position of the turn that it is of."""

    message: Message
    position: int


def said_in(turns: Sequence[Turn]) -> list[Said]:
    """The turns as messages. An answer that failed, or was stopped before it began, was never said."""
    said = []
    for turn in turns:
        message = _message(turn)
        if message is not None:
            said.append(Said(message, turn.position))
    return said


def _message(turn: Turn) -> Message | None:
    if turn.role == Turn.Role.USER:
        return {"role": "user", "content": turn.content}
    if turn.role == Turn.Role.TOOL:
        return {"role": "tool", "content": turn.content, "tool_call_id": turn.tool_call_id}
    call = turn.call
    if call is None or call.status not in (Call.Status.COMPLETED, Call.Status.CANCELLED):
        return None
    calls = call.tool_calls if call.status == Call.Status.COMPLETED else []
    if not call.output and not calls:
        return None
    asked = {"tool_calls": [tool_call_message(each) for each in calls]} if calls else {}
    return {"role": "assistant", "content": call.output or None, **asked}


def tool_call_message(call: Mapping[str, Any]) -> Message:
    """A call as an answer keeps it, flat or with its "function", as a message carries it."""
    of = call.get("function", call)
    function = {"name": str(of.get("name", "")), "arguments": str(of.get("arguments", ""))}
    return {"id": str(call.get("id", "")), "type": "function", "function": function}


def open_tool_calls(turns: Sequence[Turn]) -> list[str]:
    """The ids of the calls that the last answer asks for and that nobody has answered yet."""
    asked: list[str] = []
    for turn in turns:
        if turn.role == Turn.Role.TOOL:
            asked = [each for each in asked if each != turn.tool_call_id]
        else:
            call = turn.call if turn.role == Turn.Role.ASSISTANT else None
            done = call is not None and call.status == Call.Status.COMPLETED
            asked = [str(each.get("id", "")) for each in call.tool_calls] if call and done else []
    return asked


def around_history(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Message], list[Message]]:
    """A prompt's messages before the talk, and after it.

    The talk takes the place of the placeholder `history`; without one, it follows the prompt. A question
    after the placeholder is what the typed turns stand for: of what follows it, only instructions are sent.
    """
    for place, message in enumerate(messages):
        if message["role"] == "placeholder" and message.get("name") == HISTORY:
            after = [dict(each) for each in messages[place + 1 :] if each["role"] in SYSTEM_ROLES]
            return [dict(each) for each in messages[:place]], after
    return [dict(each) for each in messages], []
