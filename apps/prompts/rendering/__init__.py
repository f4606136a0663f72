"""Rendering a prompt's messages with inputs: plain Python, no database, safe for templates from strangers.

The language is Jinja2 in a sandbox without a way to Python's objects, with limits of time and size. Inputs
are data: what they hold is never read as a template. See docs/prompts.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.prompts.messages import MessageError, parse_messages

from .budget import Budget, RenderLimits, measure
from .errors import (
    InvalidInputs,
    RenderError,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateRefused,
    TemplateSyntax,
    TimeLimitExceeded,
    UndefinedVariable,
)
from .templates import compiled

__all__ = [
    "InvalidInputs",
    "RenderError",
    "RenderLimits",
    "SizeLimitExceeded",
    "TemplateFailed",
    "TemplateRefused",
    "TemplateSyntax",
    "TimeLimitExceeded",
    "UndefinedVariable",
    "Variable",
    "check_templates",
    "render_messages",
    "variables_of",
]
_KEPT = ("tool_calls", "tool_call_id", "name")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name the messages use. `is_messages`: a placeholder's name; `optional`: they do without a value."""

    name: str
    optional: bool = False
    is_messages: bool = False


def render_messages(
    messages: Sequence[Mapping[str, Any]],
    inputs: Mapping[str, Any],
    *,
    limits: RenderLimits | None = None,
) -> list[dict[str, Any]]:
    """The messages with `inputs` filled in, ready to be sent to a model.

    `messages` have the shape of `apps.prompts.messages.Message.as_dict()`; so have the results, without
    placeholders. Inputs the messages do not use are ignored.
    Raises RenderError (a subclass of it) with the message, the line and the variable at fault.
    """
    limits = limits or RenderLimits()
    budget = Budget(limits)
    values = dict(inputs)
    rendered: list[dict[str, Any]] = []
    written = 0
    checked: set[str] = set()
    for index, message in enumerate(messages):
        try:
            if message["role"] == "placeholder":
                added = _placeholder_messages(str(message["name"]), values)
            else:
                added = [_rendered(message, values, budget, checked)]
            written += sum(len(m["content"] or "") for m in added)
            if written > limits.output_chars:
                raise SizeLimitExceeded(
                    f"the rendered messages are longer than {limits.output_chars:,} characters"
                )
        except RenderError as error:
            if error.message_index is None:
                error.message_index = index
            raise
        rendered.extend(added)
    return rendered


def _rendered(
    message: Mapping[str, Any],
    values: dict[str, Any],
    budget: Budget,
    checked: set[str],
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "role": message["role"],
        "content": message.get("content"),
    }
    if result["content"] is not None:
        text = compiled(result["content"])
        for name in text.variables - checked:
            _check_input(name, values)
            checked.add(name)
        result["content"] = text.render(values, budget)
    result.update({key: message[key] for key in _KEPT if message.get(key)})
    return result


def _check_input(name: str, values: Mapping[str, Any]) -> None:
    """Inputs must be plain JSON: then nothing in them has methods of its own."""
    if type(values.get(name)) is str:
        return
    try:
        measure(values.get(name))
    except RenderError as error:
        raise InvalidInputs(f"the input “{name}” cannot be used: {error.reason}", variable=name) from error


def _placeholder_messages(name: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages that the inputs hold for a placeholder: a list, or its JSON text, as a CSV cell has it."""
    value = values.get(name)
    if value is None:
        raise UndefinedVariable(
            f"the placeholder “{name}” needs a list of messages in the inputs",
            variable=name,
        )
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError) as error:
            raise InvalidInputs(
                f"“{name}” is a text that is not a JSON list of messages", variable=name
            ) from error
    try:
        parsed = parse_messages(value, path=f"inputs.{name}", allow_placeholders=False, allow_empty=True)
    except MessageError as error:
        raise InvalidInputs("; ".join(error.sentences()), variable=name) from error
    return [message.as_dict() for message in parsed]


def variables_of(messages: Iterable[Mapping[str, Any]]) -> list[Variable]:
    """What the messages need from the inputs, in the order of first use. Raises TemplateSyntax."""
    found: dict[str, Variable] = {}
    for index, message in enumerate(messages):
        if message["role"] == "placeholder":
            found[message["name"]] = Variable(message["name"], is_messages=True)
            continue
        try:
            text = compiled(message.get("content") or "")
        except RenderError as error:
            error.message_index = index
            raise
        for name in sorted(text.variables, key=lambda n: (text.source.find(n), n)):
            optional = name in text.optional and (name not in found or found[name].optional)
            is_messages = name in found and found[name].is_messages
            found[name] = Variable(name, optional, is_messages)
    return list(found.values())


def check_templates(messages: Sequence[Mapping[str, Any]]) -> list[RenderError]:
    """Everything that keeps the messages' texts from being compiled, one error a message at most."""
    errors = []
    for index, message in enumerate(messages):
        try:
            compiled(message.get("content") or "")
        except RenderError as error:
            errors.append(type(error)(error.reason, message_index=index, line=error.line))
    return errors
