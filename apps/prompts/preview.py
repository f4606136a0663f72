"""Rendering for people and scripts who try a prompt out: a saved version, or what stands in the editor."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.prompts.errors import RenderFailed
from apps.prompts.messages import MessageError, messages_as_json, parse_messages
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import RenderError, Variable, render_messages, variables_of


def version_render(*, version: PromptVersion, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The version's messages with `inputs` filled in. Raises RenderFailed."""
    try:
        return render_messages(version.messages, inputs, includes=version.includes)
    except RenderError as error:
        raise RenderFailed.from_rendering(error) from error


@dataclass(frozen=True, slots=True)
class VariableField:
    """A variable with the text that was typed for it."""

    variable: Variable
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the messages make of the values: the rendered messages, or why there are none.

    `unused` are values for names that the messages do not use now; they are kept in case the name comes back.
    """

    fields: list[VariableField]
    unused: list[VariableField] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)


def preview_of(*, messages: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> Preview:
    """Render raw messages with values typed as text. Never raises: errors are part of the preview."""
    try:
        checked = messages_as_json(parse_messages(list(messages)))
        variables = variables_of(checked)
    except MessageError as error:
        return Preview(_fields_from_what_compiles(messages, texts), errors=_in_words(error))
    except RenderError as error:
        return Preview(_fields_from_what_compiles(messages, texts), errors=[f"{error}."])
    fields = [VariableField(variable, texts.get(variable.name, "")) for variable in variables]
    unused = _leftovers(texts, {variable.name for variable in variables})
    missing = [f.variable.name for f in fields if not f.text and not f.variable.optional]
    if missing:
        return Preview(fields, unused, missing=missing)
    inputs = {f.variable.name: value_of(f.text) for f in fields if f.text}
    try:
        return Preview(fields, unused, messages=render_messages(checked, inputs))
    except RenderError as error:
        return Preview(fields, unused, errors=[f"{error}."])


def _in_words(error: MessageError) -> list[str]:
    """The errors with their places as a person counts them: "Message 1: …"."""
    return [f"{_place_in_words(place)}: {' '.join(texts)}" for place, texts in error.fields.items()]


def _place_in_words(place: str) -> str:
    match = re.match(r"messages\[(\d+)\](?:\.(.+))?$", place)
    if not match:
        return place.capitalize()
    rest = "" if match[2] in (None, "content") else f", {match[2].replace('_', ' ')}"
    return f"Message {int(match[1]) + 1}{rest}"


def _fields_from_what_compiles(
    messages: Sequence[Mapping[str, Any]], texts: Mapping[str, str]
) -> list[VariableField]:
    """The variables of those messages that are valid, and what was typed for others while they were."""
    found: dict[str, Variable] = {}
    for message in messages:
        try:
            valid = messages_as_json(parse_messages([message]))
            found |= {variable.name: variable for variable in variables_of(valid)}
        except (MessageError, RenderError):
            continue
    fields = [VariableField(variable, texts.get(name, "")) for name, variable in found.items()]
    return fields + _leftovers(texts, found.keys())


def _leftovers(texts: Mapping[str, str], used: Container[str]) -> list[VariableField]:
    return [
        VariableField(Variable(name), text)
        for name, text in texts.items()
        if text and name not in used and name.isidentifier()
    ]


def value_of(text: str) -> Any:
    """A list or an object when the text is one in JSON; the text itself otherwise."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
