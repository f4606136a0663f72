"""What can be said of a column while it is typed: variables, mistakes with their places, includes, a preview.

Nothing is stored, and whatever is typed, nothing is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import thread_time
from typing import Any

from django.urls import reverse

from apps.core.models import Project
from apps.prompts.content import MAX_ALL_CHARS
from apps.prompts.including import Includes, KeptInclude, kept_includes, resolution_of
from apps.prompts.messages import MessageError, messages_as_json, parse_messages
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.preview import value_of
from apps.prompts.rendering import (
    RenderError,
    RenderLimits,
    Variable,
    diagnose,
    place_of,
    render_messages,
    variables_of,
)
from apps.prompts.typed import read_typed
from apps.workbench.conversations.counting import Counter
from apps.workbench.mistakes import Mistake, json_mistakes, mistake_of, placed

#: A preview, not an answer: less than what a saved prompt may take, so that a page that types stays quick.
LIMITS = RenderLimits(seconds=0.5, output_chars=400_000)
COMPILE_SECONDS = 1.5
MOST_MISTAKES = 100


@dataclass
class _Column:
    """A typed column as far as it can be read. `messages` are those that compile, by index."""

    raw: dict[str, Any]
    mistakes: list[Mistake] = field(default_factory=list)
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def readable(self) -> list[dict[str, Any]]:
        return list(self.messages.values())


def check_typed(
    *, prompt: Prompt, typed: Any, values: Mapping[str, Any], base: PromptVersion | None = None
) -> dict[str, Any]:
    """Everything the page shows of a column as it stands; docs/prompts.md says what each part is.

    `base` is the saved version that the column began from: while the text is the same, its includes are those
    that it keeps.
    """
    column = _read(typed)
    unchanged = base is not None and column.readable == base.messages
    kept, includes = _includes(prompt, column, base if unchanged else None)
    variables = _variables(column, includes)
    rendered, failed = _rendered(column, includes, variables, values)
    shown = rendered if rendered is not None else column.readable
    return {
        "variables": [
            {
                "name": variable.name,
                "optional": variable.optional,
                "is_messages": variable.is_messages,
                "from_include": variable.from_include,
            }
            for variable in variables
        ],
        "errors": [mistake.as_json() for mistake in column.mistakes[:MOST_MISTAKES]],
        "includes": [_include_as_json(prompt.project, include) for include in kept],
        "rendered": rendered,
        "render_error": failed.as_json() if failed else None,
        "missing": _missing(variables, values),
        "characters": sum(len(message.get("content") or "") for message in shown),
        "tokens_estimate": Counter().of_all(shown),
    }


def _read(typed: Any) -> _Column:
    raw, errors = read_typed(typed)
    typed = typed if isinstance(typed, Mapping) else {}
    column = _Column(raw, json_mistakes(typed, raw, errors))
    size = sum(len(message.get("content") or "") for message in raw["messages"])
    if size > MAX_ALL_CHARS:
        text = f"All messages together have at most {MAX_ALL_CHARS:,} characters, not {size:,}."
        column.mistakes.append(Mistake("messages", text))
        return column
    until = thread_time() + COMPILE_SECONDS
    for index, message in enumerate(raw["messages"]):
        place = f"messages[{index}]"
        if thread_time() > until:
            column.mistakes.append(
                Mistake(place, "Too much to be checked while it is typed; saving checks it.")
            )
            break
        _read_message(index, message, errors, column)
    return column


def _read_message(index: int, message: Any, errors: Mapping[str, Any], column: _Column) -> None:
    place = f"messages[{index}]"
    if f"{place}.tool_calls" in errors:
        return
    try:
        (checked,) = messages_as_json(parse_messages([message]))
    except MessageError as error:
        for where, texts in error.fields.items():
            column.mistakes.append(Mistake(where.replace("messages[0]", place, 1), " ".join(texts)))
        return
    source = checked.get("content") or ""
    found = diagnose(source)
    for problem in found:
        column.mistakes.append(mistake_of(problem, f"{place}.content", source))
    if not found:
        column.messages[index] = checked


def _includes(
    prompt: Prompt, column: _Column, base: PromptVersion | None
) -> tuple[list[KeptInclude], Includes]:
    """The includes to show, and what they stand for. Those that cannot be resolved become mistakes."""
    if base is not None:
        return kept_includes(project=prompt.project, version=base), base.includes
    found = resolution_of(project=prompt.project, messages=column.readable, prompt=prompt)
    indexes = list(column.messages)
    for problem in found.problems:
        index = indexes[problem.message_index or 0]
        source = column.messages[index]["content"]
        column.mistakes.append(mistake_of(problem, f"messages[{index}].content", source))
    return found.kept(), found.includes


def _variables(column: _Column, includes: Includes) -> list[Variable]:
    try:
        return variables_of(column.readable, includes)
    except RenderError:  # an included text that cannot be compiled any more
        return []


def _missing(variables: list[Variable], values: Mapping[str, Any]) -> list[str]:
    return [v.name for v in variables if not v.optional and values.get(v.name) in (None, "")]


def _rendered(
    column: _Column, includes: Includes, variables: list[Variable], values: Mapping[str, Any]
) -> tuple[list[dict[str, Any]] | None, Mistake | None]:
    """The messages with the values, when nothing stands in the way; else None, and what failed."""
    of_messages = any(mistake.place.startswith("messages") for mistake in column.mistakes)
    if of_messages or not column.messages or _missing(variables, values):
        return None, None
    inputs = {
        v.name: value_of(value) if isinstance(value := values[v.name], str) else value
        for v in variables
        if values.get(v.name) not in (None, "")
    }
    try:
        return render_messages(column.readable, inputs, includes=includes, limits=LIMITS), None
    except RenderError as error:
        index = list(column.messages)[error.message_index or 0]
        source = column.messages[index].get("content") or ""
        return None, placed(error, f"messages[{index}].content", source, place_of(error, source))


def _include_as_json(project: Project, include: KeptInclude) -> dict[str, Any]:
    return {
        "reference": include.reference,
        "prompt": include.slug,
        "version": include.number,
        "through": include.through or None,
        "moved_to": include.moved_to,
        "url": reverse("prompts:version", args=[project.slug, include.slug, include.number]),
    }
