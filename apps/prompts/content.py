"""Everything a version is made of, parsed and checked together, so that all errors are told at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.prompts.messages import PLACEHOLDER, MessageError, messages_as_json, parse_messages
from apps.prompts.parameters import parse_parameters, parse_response_schema, parse_tools
from apps.prompts.rendering import check_templates, variables_of

MAX_ALL_CHARS = 1_000_000
MAX_ALL_TAGS = 20_000
_TAG = re.compile(r"\{[{%]")


@dataclass(frozen=True, slots=True)
class VersionContent:
    """The checked JSON of a version. Two are equal when all that a person writes is; what `includes` came
    to (see apps/prompts/including.py) may differ then, which `same_as` compares too."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    response_schema: dict[str, Any] | None = None
    includes: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    @property
    def variables(self) -> list[str]:
        return [variable.name for variable in variables_of(self.messages, self.includes)]

    def same_as(self, other: VersionContent) -> bool:
        """Whether both are the same, and render the same."""
        return self == other and self.includes == other.includes

    def fields(self) -> dict[str, Any]:
        """What was written: four columns of a PromptVersion."""
        return {
            "messages": self.messages,
            "parameters": self.parameters,
            "tools": self.tools,
            "response_schema": self.response_schema,
        }

    def search_text(self) -> str:
        parts = [message.get("content") or message.get("name", "") for message in self.messages]
        if self.tools:
            parts.append(json.dumps(self.tools, ensure_ascii=False))
        return "\n".join(parts)


def parse_content(
    *,
    messages: Any,
    parameters: Any = None,
    tools: Any = None,
    response_schema: Any = None,
) -> VersionContent:
    """Raw JSON as a checked VersionContent.

    Raises MessageError whose `fields` name every bad place, templates that do not compile included.
    """
    fields: dict[str, list[str]] = {}
    parsed: dict[str, Any] = {}
    parsers: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "messages": (_checked_messages, messages),
        "parameters": (parse_parameters, parameters),
        "tools": (parse_tools, tools),
        "response_schema": (parse_response_schema, response_schema),
    }
    for name, (parse, raw) in parsers.items():
        try:
            parsed[name] = parse(raw)
        except MessageError as error:
            fields |= error.fields
    if "messages" in parsed:
        fields |= _template_errors(parsed["messages"])
    if fields:
        raise MessageError(fields)
    return VersionContent(**parsed)


def _checked_messages(raw: Any) -> list[dict[str, Any]]:
    messages = messages_as_json(parse_messages(raw))
    _refuse_empty(messages)
    return messages


def _template_errors(messages: list[dict[str, Any]]) -> dict[str, list[str]]:
    size = sum(len(message.get("content") or "") for message in messages)
    if size > MAX_ALL_CHARS:
        return {
            "messages": [f"All messages together have at most {MAX_ALL_CHARS:,} characters, not {size:,}."]
        }
    tags = sum(len(_TAG.findall(message.get("content") or "")) for message in messages)
    if tags > MAX_ALL_TAGS:
        return {"messages": [f"All messages together have at most {MAX_ALL_TAGS:,} tags, not {tags:,}."]}
    errors: dict[str, list[str]] = {}
    for error in check_templates(messages):
        errors[error.field] = [f"{error}."]
    return errors


def _refuse_empty(messages: list[dict[str, Any]]) -> None:
    """A prompt whose messages say nothing is a form that nobody filled in."""
    said = ((message.get("content") or "").strip() or message.get("tool_calls") for message in messages)
    if not any(said) and not any(message["role"] == PLACEHOLDER for message in messages):
        raise MessageError({"messages[0].content": ["Write something first."]})
