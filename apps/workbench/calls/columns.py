"""From the columns of a page, as typed, to calls that can be made; or everything that stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.core.errors import ProductError
from apps.prompts.content import VersionContent
from apps.prompts.errors import RenderFailed
from apps.prompts.including import includes_resolve
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.preview import value_of
from apps.prompts.rendering import RenderError, render_messages, variables_of
from apps.prompts.services import checked_content, content_of
from apps.prompts.typed import read_typed
from apps.providers.models import Model
from apps.providers.selectors import model_resolve
from apps.workbench.calls.errors import InvalidRun

MOST_COLUMNS = 4
MOST_COLUMN_CHARS = 20
Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that can be made: checked, rendered, with its model. `version` None for a draft."""

    content: VersionContent
    messages: list[dict[str, Any]]
    model: Model
    inputs: dict[str, Any]
    version: PromptVersion | None = None
    column: str = ""
    includes: dict[str, Any] = field(default_factory=dict)


def columns_read(*, prompt: Prompt, columns: Any, values: Mapping[str, Any]) -> list[Planned]:
    """The columns [{"id", "typed", "base"}, …] of a page, with its variables' texts, as calls.

    Raises InvalidRun with every error of all of them.
    """
    if not isinstance(columns, list) or not 1 <= len(columns) <= MOST_COLUMNS:
        text = f"Run one to {MOST_COLUMNS} columns at once."
        raise InvalidRun(text, fields={"columns": [text]})
    planned: list[Planned] = []
    errors: Errors = {}
    versions = bases_of(prompt, columns)
    inputs = {name: value_of(value) if isinstance(value, str) else value for name, value in values.items()}
    for index, column in enumerate(columns):
        column = column if isinstance(column, Mapping) else {}
        try:
            planned.append(_column_read(prompt, column, versions, inputs))
        except ProductError as error:
            told = error.fields or {"messages": [error.detail]}
            errors |= {f"columns[{index}].{place}": texts for place, texts in told.items()}
    if errors:
        raise InvalidRun(next(iter(errors.values()))[0], fields=errors)
    return planned


def bases_of(prompt: Prompt, columns: Sequence[Any]) -> dict[int, PromptVersion]:
    """The saved versions from which the columns began, by number."""
    numbers = [column.get("base") for column in columns if isinstance(column, Mapping)]
    wanted = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 < n < 2**31]
    return {version.number: version for version in prompt.versions.filter(number__in=wanted)}


def _column_read(
    prompt: Prompt, column: Mapping[str, Any], versions: Mapping[int, PromptVersion], inputs: dict[str, Any]
) -> Planned:
    content, version = column_content(prompt, column, versions)
    planned = call_plan(prompt=prompt, content=content, inputs=inputs, version=version)
    return with_column(planned, str(column.get("id") or "")[:MOST_COLUMN_CHARS])


def column_content(
    prompt: Prompt, column: Mapping[str, Any], versions: Mapping[int, PromptVersion]
) -> tuple[VersionContent, PromptVersion | None]:
    """What is typed in a column, checked, and the saved version that says the same. Raises InvalidRun.

    The includes of a saved version are those that it keeps, those of a draft what they come to now.
    """
    raw, errors = read_typed(column.get("typed"))
    try:
        content = checked_content(**raw)
    except ProductError as error:
        raise InvalidRun(error.detail, fields={**error.fields, **errors}) from error
    if errors:
        raise InvalidRun(next(iter(errors.values()))[0], fields=errors)
    base = column.get("base")
    version = versions.get(base) if isinstance(base, int) else None
    if version is not None and content_of(version) == content:
        return content_of(version), version
    includes = includes_resolve(project=prompt.project, messages=content.messages, prompt=prompt)
    return replace(content, includes=includes), None


def with_column(planned: Planned, column: str) -> Planned:
    return Planned(
        planned.content,
        planned.messages,
        planned.model,
        planned.inputs,
        planned.version,
        column,
        planned.includes,
    )


def call_plan(
    *,
    prompt: Prompt,
    content: VersionContent,
    inputs: Mapping[str, Any],
    version: PromptVersion | None = None,
    model: Model | None = None,
) -> Planned:
    """A call of checked content: its model found, unless `model` is it, its messages rendered with `inputs`.

    Inputs that the messages do not use are left out. Raises InvalidRun with the place of each error.
    """
    errors: Errors = {}
    messages: list[dict[str, Any]] = []
    try:
        model = model or model_resolve(
            project=prompt.project, name=str(content.parameters.get("model") or "")
        )
    except ProductError as error:
        errors["parameters.model"] = [error.detail]
    used, missing = _used(content, inputs)
    errors |= {f"values.{name}": [f"Give a value for “{name}”."] for name in missing}
    if not missing:
        try:
            messages = render_messages(content.messages, used, includes=content.includes)
        except RenderError as error:
            failed = RenderFailed.from_rendering(error)
            errors |= failed.fields
    if errors or model is None:
        raise InvalidRun(next(iter(errors.values()))[0], fields=errors)
    return Planned(content, messages, model, used, version, includes=content.includes)


def _used(content: VersionContent, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values that the messages use, and the names of those that they need and do not have."""
    variables = variables_of(content.messages, content.includes)
    used = {v.name: inputs[v.name] for v in variables if inputs.get(v.name) not in (None, "")}
    return used, [v.name for v in variables if v.name not in used and not v.optional]
