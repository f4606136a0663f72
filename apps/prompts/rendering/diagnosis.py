"""Everything that can be told of a text before it is rendered, each with line and column."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from .errors import RenderError, TemplateSyntax
from .positions import Place
from .templates import compiled, parsed, syntax_error, tokens_of, unknown_names


def diagnose(source: str) -> list[RenderError]:
    """What keeps `source` from being used, in order; empty when nothing does.

    An error of syntax hides what follows it; unknown filters and tests are all told.
    """
    try:
        text = compiled(source)
    except RenderError as error:
        unknown = _unknown_in(source) if isinstance(error, TemplateSyntax) else []
        return [*unknown] if unknown else [error]
    return [syntax_error(error) for error in text.unknown]


def _unknown_in(source: str) -> list[RenderError]:
    try:
        return [syntax_error(error) for error in unknown_names(parsed(source).find_all(nodes.Node))]
    except (TemplateSyntaxError, RecursionError, MemoryError, ValueError, OverflowError):
        return []


def place_of(error: RenderError, source: str) -> Place | None:
    """Where in `source`, the text that was rendered, `error` happened, as closely as its line allows: the
    variable, the include, or the whole line."""
    if error.line is None:
        return None
    if error.column is not None:
        return Place(error.line, error.column, error.end_column or error.column + 1)
    if error.included:
        return next((place for place in _includes_on(source, error.line)), _whole(source, error.line))
    for place, kind, value in tokens_of(source):
        if place == error.line and kind == "name" and value == error.variable:
            return place
    return _whole(source, error.line)


def _includes_on(source: str, line: int) -> Iterator[Place]:
    return (tag.place for tag in compiled(source).includes if tag.place == line)


def _whole(source: str, line: int) -> Place | None:
    lines = source.split("\n")
    if line > len(lines):
        return None
    text = lines[line - 1]
    begin = len(text) - len(text.lstrip())
    return Place(line, begin + 1, max(len(text.rstrip()), begin + 1) + 1)
