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
from .diagnosis import diagnose, place_of
from .errors import (
    IncludeFailed,
    InvalidInputs,
    RenderError,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateRefused,
    TemplateSyntax,
    TimeLimitExceeded,
    UndefinedVariable,
)
from .references import IncludeTag, Reference, parse_reference
from .scope import MAX_INCLUDE_DEPTH, Includes, Scope
from .templates import CompiledText, compiled, needs_of

__all__ = [
    "MAX_INCLUDE_DEPTH",
    "IncludeFailed",
    "IncludeTag",
    "Includes",
    "InvalidInputs",
    "Reference",
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
    "diagnose",
    "include_tags",
    "parse_reference",
    "place_of",
    "render_messages",
    "variables_of",
]
_KEPT = ("tool_calls", "tool_call_id", "name")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name the messages use. `is_messages`: a placeholder's name; `optional`: they do without a value;
    `from_include`: the slug of the prompt that asks for it, where the messages themselves do not."""

    name: str
    optional: bool = False
    is_messages: bool = False
    from_include: str | None = None


def render_messages(
    messages: Sequence[Mapping[str, Any]],
    inputs: Mapping[str, Any],
    *,
    includes: Includes | None = None,
    limits: RenderLimits | None = None,
) -> list[dict[str, Any]]:
    """The messages with `inputs` filled in, ready to be sent to a model.

    `includes` is what the prompts that they include stand for, as a version keeps it in its field of that
    name; an include that it lacks is an error.

    `messages` have the shape of `apps.prompts.messages.Message.as_dict()`; so have the results, without
    placeholders. Inputs the messages do not use are ignored.
    Raises RenderError (a subclass of it) with the message, the line and the variable at fault.
    """
    limits = limits or RenderLimits()
    budget, scope = Budget(limits), Scope(includes or {})
    values = dict(inputs)
    rendered: list[dict[str, Any]] = []
    written = 0
    checked: set[str] = set()
    for index, message in enumerate(messages):
        try:
            if message["role"] == "placeholder":
                added = _placeholder_messages(str(message["name"]), values)
            else:
                added = [_rendered(message, values, budget, scope, checked)]
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
    scope: Scope,
    checked: set[str],
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "role": message["role"],
        "content": message.get("content"),
    }
    if result["content"] is not None:
        text = compiled(result["content"])
        for name in needs_of(text, scope).variables - checked:
            _check_input(name, values)
            checked.add(name)
        result["content"] = text.render(values, budget, scope)
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


def variables_of(messages: Iterable[Mapping[str, Any]], includes: Includes | None = None) -> list[Variable]:
    """What the messages, and the prompts they include, need from the inputs, in the order of first use.

    An include that `includes` lacks needs nothing. Raises TemplateSyntax.
    """
    found: dict[str, Variable] = {}
    scope = Scope(includes or {})
    for index, message in enumerate(messages):
        if message["role"] == "placeholder":
            found[message["name"]] = Variable(message["name"], is_messages=True)
            continue
        try:
            used = _variables_of_text(compiled(message.get("content") or ""), scope)
        except RenderError as error:
            error.message_index = index
            raise
        for variable in used:
            earlier = found.get(variable.name)
            found[variable.name] = variable if earlier is None else _both(earlier, variable)
    return list(found.values())


def _variables_of_text(text: CompiledText, scope: Scope) -> list[Variable]:
    needs = needs_of(text, scope)
    origins = {name: tag for tag in reversed(text.includes) for name in _asked_by(tag, scope)}
    variables = []
    for name in needs.variables:
        tag = None if name in text.needs.variables else origins.get(name)
        found = scope.find(tag.reference) if tag else None
        slug = str(found[0]["prompt"]) if found else None
        position = text.source.find(tag.reference if tag else name)
        variables.append((position, Variable(name, name in needs.optional, from_include=slug)))
    return [variable for _, variable in sorted(variables, key=lambda each: (each[0], each[1].name))]


def _asked_by(tag: IncludeTag, scope: Scope) -> frozenset[str]:
    found = scope.find(tag.reference)
    return needs_of(compiled(found[0]["text"]), found[1]).variables if found else frozenset()


def _both(earlier: Variable, later: Variable) -> Variable:
    """A name that two messages use."""
    return Variable(
        earlier.name,
        earlier.optional and later.optional,
        earlier.is_messages,
        earlier.from_include if later.from_include else None,
    )


def include_tags(messages: Sequence[Mapping[str, Any]]) -> list[tuple[int, IncludeTag]]:
    """Every include of the messages with its message's index; messages that do not compile have none."""
    tags: list[tuple[int, IncludeTag]] = []
    for index, message in enumerate(messages):
        try:
            tags += [(index, tag) for tag in compiled(message.get("content") or "").includes]
        except RenderError:
            continue
    return tags


def check_templates(messages: Sequence[Mapping[str, Any]]) -> list[RenderError]:
    """Everything that keeps the messages' texts from being compiled, one error a message at most."""
    errors = []
    for index, message in enumerate(messages):
        for error in diagnose(message.get("content") or "")[:1]:
            error.message_index = index
            errors.append(error)
    return errors
