"""A mistake in what is typed, with its place as the page's editors count: lines and UTF-16 columns from 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from apps.prompts.json_places import JsonPlace, mistake_in, steps_of, value_place
from apps.prompts.messages import MessageError
from apps.prompts.parameters import parse_parameters, parse_response_schema, parse_tools
from apps.prompts.rendering import RenderError
from apps.prompts.rendering.positions import Place


@dataclass(frozen=True, slots=True)
class Mistake:
    """`place` is a field's path, such as messages[1].content; the end column is exclusive."""

    place: str
    message: str
    line: int | None = None
    column: int | None = None
    end_column: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def mistake_of(error: RenderError, place: str, source: str) -> Mistake:
    """A template's error, which knows its place."""
    if error.line is None or error.column is None:
        return Mistake(place, _sentence(error.reason), error.line)
    found = Place(error.line, error.column, error.end_column or error.column + 1)
    return placed(error, place, source, found)


def placed(error: RenderError, place: str, source: str, found: Place | None) -> Mistake:
    message = _sentence(error.reason)
    if found is None:
        return Mistake(place, message, error.line)
    return _with_columns(place, message, source, found, found.column, found.end_column)


def _with_columns(place: str, message: str, source: str, line: int, column: int, end_column: int) -> Mistake:
    lines = source.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    return Mistake(place, message, int(line), _utf16(text, column), _utf16(text, end_column))


def _utf16(text: str, column: int) -> int:
    """The column that `column`, counted in characters, is to JavaScript."""
    before = text[: column - 1]
    return column + (0 if before.isascii() else sum(character > "\uffff" for character in before))


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def json_mistakes(
    typed: Mapping[str, Any], raw: Mapping[str, Any], errors: Mapping[str, Any]
) -> list[Mistake]:
    """What is wrong with numbers, parameters, tools, schema and tool calls; `raw` and `errors` are what
    `read_typed` made of `typed`."""
    found = [
        _of_text(place, " ".join(texts), _text_at(typed, place), None) for place, texts in errors.items()
    ]
    parsers = {
        "parameters": parse_parameters,
        "tools": parse_tools,
        "response_schema": parse_response_schema,
    }
    for name, parse in parsers.items():
        try:
            parse(raw[name])
        except MessageError as error:
            for place, texts in error.fields.items():
                if place not in errors:
                    found.append(_of_text(place, " ".join(texts), _text_at(typed, place), _steps(place)))
    return found


def _text_at(typed: Mapping[str, Any], place: str) -> str:
    """The JSON text that `place` lies in; "" where that is none."""
    for name in ("tools", "response_schema"):
        if place.startswith(name):
            return str(typed.get(name) or "")
    if place.startswith("parameters.extra"):
        return str(typed.get("extra") or "")
    steps = steps_of(place)
    if len(steps) == 3 and steps[0] == "messages" and steps[2] == "tool_calls":
        rows = typed.get("messages")
        row = rows[steps[1]] if isinstance(rows, list) and isinstance(steps[1], int) else {}
        return str(row.get("tool_calls") or "") if isinstance(row, Mapping) else ""
    return ""


def _steps(place: str) -> list[str | int]:
    steps = steps_of(place)
    return steps[2:] if steps[:2] == ["parameters", "extra"] else steps[1:]


def _of_text(place: str, message: str, text: str, steps: list[str | int] | None) -> Mistake:
    """`steps` None: the text is no JSON."""
    text = text.replace("\r\n", "\n")
    found: JsonPlace | None = None
    if text.strip():
        found = mistake_in(text) if steps is None else value_place(text, steps)
    if found is None:
        return Mistake(place, message)
    return _with_columns(place, message, text, found.line, found.column, found.end_column)
