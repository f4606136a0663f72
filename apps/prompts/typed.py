"""A version as it stands in an editor: all of it text, as typed, until it is read as a version's content.

The shape (all values text): {"messages": [{"role", "content", "name", "tool_call_id", "tool_calls"}, …],
"model", "temperature", "top_p", "max_tokens", "seed", "stop", "extra", "tools", "response_schema"}.
Numbers are as typed, stop texts stand one a line, and the last three are JSON, or empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from apps.prompts.content import VersionContent
from apps.prompts.json_words import json_words
from apps.prompts.messages import MAX_MESSAGES, PLACEHOLDER
from apps.prompts.models import PromptVersion
from apps.prompts.parameters import NUMBERS

Errors = dict[str, list[str]]
MESSAGE_PARTS = ("role", "content", "name", "tool_call_id", "tool_calls")
PARTS = ("model", *NUMBERS, "stop", "extra", "tools", "response_schema")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def typed_of(version: PromptVersion | VersionContent) -> dict[str, Any]:
    """What stands in the editor for what `version` is made of."""
    parameters = version.parameters
    numbers = {name: _written(parameters.get(name)) for name in NUMBERS}
    return {
        "messages": [_typed_message(message) for message in version.messages],
        "model": parameters.get("model", ""),
        **numbers,
        "stop": "\n".join(map(escaped, parameters.get("stop", []))),
        "extra": _pretty(parameters.get("extra")),
        "tools": _pretty(version.tools),
        "response_schema": _pretty(version.response_schema),
    }


def typed_nothing() -> dict[str, Any]:
    """What stands in the editor of a prompt without a version."""
    empty = dict.fromkeys(PARTS, "")
    return {"messages": [_typed_message({"role": role}) for role in ("system", "user")], **empty}


def _written(number: float | int | None) -> str:
    """0.0 as a person writes it: 0."""
    if number is None:
        return ""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _typed_message(message: Mapping[str, Any]) -> dict[str, str]:
    return {
        "role": message["role"],
        "content": message.get("content") or "",
        "name": message.get("name", ""),
        "tool_call_id": message.get("tool_call_id", ""),
        "tool_calls": _pretty(message.get("tool_calls")),
    }


def read_typed(typed: Any) -> tuple[dict[str, Any], Errors]:
    """What was typed as raw JSON for `services.checked_content`: {"messages", "parameters", "tools",
    "response_schema"}; and what is no number or no JSON, by place. Whatever `typed` is, nothing is raised.
    """
    errors: Errors = {}
    typed = typed if isinstance(typed, Mapping) else {}
    rows = typed.get("messages")
    messages = [
        _message(row, f"messages[{index}]", errors)
        for index, row in enumerate(rows if isinstance(rows, list) else [])
        if index <= MAX_MESSAGES
    ]
    parameters: dict[str, Any] = {"model": _text(typed, "model").strip()}
    for name, (_, _, whole) in NUMBERS.items():
        parameters[name] = _number(_text(typed, name), f"parameters.{name}", whole, errors)
    parameters["stop"] = [unescaped(line) for line in _text(typed, "stop").split("\n") if line]
    parameters["extra"] = _json(_text(typed, "extra"), "parameters.extra", errors)
    raw = {
        "messages": messages,
        "parameters": parameters,
        "tools": _json(_text(typed, "tools"), "tools", errors),
        "response_schema": _json(_text(typed, "response_schema"), "response_schema", errors),
    }
    return raw, errors


def _message(row: Any, place: str, errors: Errors) -> dict[str, Any]:
    row = row if isinstance(row, Mapping) else {}
    role, content = _text(row, "role"), _text(row, "content")
    calls = _json(_text(row, "tool_calls"), f"{place}.tool_calls", errors)
    raw: dict[str, Any] = {"role": role}
    if content or (role != PLACEHOLDER and not calls):
        raw["content"] = content
    for key in ("name", "tool_call_id"):
        if text := _text(row, key):
            raw[key] = text
    return raw | ({"tool_calls": calls} if calls else {})


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _number(text: str, place: str, whole: bool, errors: Errors) -> float | int | None:
    text = text.strip()
    if not text:
        return None
    try:
        return int(text) if whole and len(text) < 30 else float(text)
    except ValueError:
        errors[place] = ["Give a whole number." if whole else "Give a number, such as 0.7."]
        return None


def escaped(text: str) -> str:
    """`text` on one line: line breaks and tabs as \\n, \\r and \\t, a backslash as two."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def unescaped(line: str) -> str:
    """What `escaped` was given; a backslash before anything else stays as it is."""
    back = {written: character for character, written in _ESCAPES.items()}
    return re.sub(r"\\[\\nrt]", lambda match: back[match[0]], line)


def _json(text: str, place: str, errors: Errors) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        errors[place] = [json_words(error)]
    except (ValueError, RecursionError) as error:
        errors[place] = [f"This is not JSON: {error}."]
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
