"""What a prompt version is made of, as typed values, and how raw JSON becomes them.

Every error names its field precisely: `messages[1].content`, `tools[0].function.name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Role = Literal["system", "user", "assistant", "tool", "developer"]
ROLES: tuple[str, ...] = get_args(Role)
PLACEHOLDER = "placeholder"
MAX_MESSAGES = 300
MAX_CONTENT_CHARS = 400_000
MAX_NAME_CHARS = 64
_FIELDS = {"role", "content", "tool_calls", "tool_call_id", "name"}


class MessageError(ValueError):
    """Raw messages, parameters, tools or a schema are not valid; `fields` maps each place to its errors."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{place}: {' '.join(texts)}" for place, texts in fields.items()))
        self.fields = fields

    def sentences(self) -> list[str]:
        return [f"{place}: {' '.join(texts)}" for place, texts in self.fields.items()]


class Problems:
    """Collects what is wrong, so that all of it is told at once."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}

    def add(self, place: str, text: str) -> None:
        self.fields.setdefault(place, []).append(text)

    def raise_if_any(self) -> None:
        if self.fields:
            raise MessageError(self.fields)


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message, or a placeholder (`role` "placeholder") for a list of messages named `name`."""

    role: str
    content: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    tool_call_id: str = ""
    name: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON as it is stored and sent; empty optional parts are left out."""
        if self.role == PLACEHOLDER:
            return {"role": PLACEHOLDER, "name": self.name}
        result: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            result["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id:
            result["tool_call_id"] = self.tool_call_id
        if self.name:
            result["name"] = self.name
        return result


def parse_messages(
    raw: Any,
    *,
    path: str = "messages",
    allow_placeholders: bool = True,
    allow_empty: bool = False,
) -> list[Message]:
    """Messages from JSON. Raises MessageError naming each bad field; templates are not compiled here."""
    problems = Problems()
    if not isinstance(raw, list):
        raise MessageError({path: ["Give a list of messages, each with a role and content."]})
    if not raw and not allow_empty:
        raise MessageError({path: ["Give at least one message."]})
    if len(raw) > MAX_MESSAGES:
        raise MessageError({path: [f"At most {MAX_MESSAGES} messages; there are {len(raw)}."]})
    messages = [_message(item, f"{path}[{i}]", allow_placeholders, problems) for i, item in enumerate(raw)]
    problems.raise_if_any()
    return [message for message in messages if message is not None]


def _message(raw: Any, place: str, allow_placeholders: bool, problems: Problems) -> Message | None:
    if not isinstance(raw, Mapping):
        problems.add(place, "Give an object with role and content.")
        return None
    for key in sorted(set(raw) - _FIELDS):
        problems.add(
            f"{place}.{key}",
            f"There is no such field; a message has {', '.join(sorted(_FIELDS))}.",
        )
    role = raw.get("role")
    name = _text(raw, "name", place, problems, MAX_NAME_CHARS)
    if role == PLACEHOLDER and allow_placeholders:
        _check_placeholder(raw, name, place, problems)
        return Message(role=PLACEHOLDER, name=name)
    if role not in ROLES:
        choices = (*ROLES, PLACEHOLDER) if allow_placeholders else ROLES
        problems.add(f"{place}.role", f"Choose one of {', '.join(choices)}.")
        return None
    calls = _tool_calls(raw.get("tool_calls"), f"{place}.tool_calls", problems)
    call_id = _text(raw, "tool_call_id", place, problems, 200)
    if calls and role != "assistant":
        problems.add(f"{place}.tool_calls", "Only an assistant message has tool calls.")
    if role == "tool" and not call_id:
        problems.add(f"{place}.tool_call_id", "A tool message names the call it answers.")
    if call_id and role != "tool":
        problems.add(f"{place}.tool_call_id", "Only a tool message has this.")
    content = _content(raw.get("content"), f"{place}.content", bool(calls), problems)
    return Message(str(role), content, calls, call_id, name)


def _check_placeholder(raw: Mapping[str, Any], name: str, place: str, problems: Problems) -> None:
    if not name.isidentifier():
        problems.add(
            f"{place}.name",
            "Name the input that holds the list of messages: letters, digits and _, such as history.",
        )
    for key in ("content", "tool_calls", "tool_call_id"):
        if raw.get(key):
            problems.add(
                f"{place}.{key}",
                "A placeholder has a name only; its messages come from the inputs.",
            )


def _content(value: Any, place: str, may_be_empty: bool, problems: Problems) -> str | None:
    if value is None and may_be_empty:
        return None
    if not isinstance(value, str):
        problems.add(place, "Give a text.")
        return None
    if len(value) > MAX_CONTENT_CHARS:
        problems.add(
            place,
            f"At most {MAX_CONTENT_CHARS:,} characters; there are {len(value):,}.",
        )
    _check_characters(value, place, problems)
    return value


def _text(raw: Mapping[str, Any], key: str, place: str, problems: Problems, longest: int) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest:
        problems.add(f"{place}.{key}", f"Give a text of at most {longest} characters.")
        return ""
    _check_characters(value, f"{place}.{key}", problems)
    return value


def _check_characters(value: str, place: str, problems: Problems) -> None:
    if "\x00" in value:
        problems.add(place, "NUL characters cannot be stored.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        problems.add(place, "Half of a surrogate pair is not a character.")


def _tool_calls(raw: Any, place: str, problems: Problems) -> tuple[dict[str, Any], ...]:
    if raw is None or raw == []:
        return ()
    if not isinstance(raw, list):
        problems.add(place, "Give a list of tool calls.")
        return ()
    return tuple(call for i, item in enumerate(raw) if (call := _tool_call(item, f"{place}[{i}]", problems)))


def _tool_call(raw: Any, place: str, problems: Problems) -> dict[str, Any] | None:
    function = raw.get("function") if isinstance(raw, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(raw.get("id"), str):
        problems.add(
            place,
            'Give {"id": …, "type": "function", "function": {"name": …, "arguments": "…"}}.',
        )
        return None
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        problems.add(f"{place}.function.name", "Name the function.")
        return None
    if not isinstance(arguments, str):
        problems.add(f"{place}.function.arguments", "Give the arguments as JSON text.")
        return None
    for text, where in (
        (raw["id"], "id"),
        (name, "function.name"),
        (arguments, "function.arguments"),
    ):
        _check_characters(text, f"{place}.{where}", problems)
    return {
        "id": raw["id"],
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def messages_as_json(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [message.as_dict() for message in messages]
