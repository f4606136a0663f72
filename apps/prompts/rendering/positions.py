"""Where things stand in a template: Jinja's lexer and parser count lines, these know the column too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Lexer, newline_re
from jinja2.parser import Parser

_AT = re.compile(r"unexpected char .* at (\d+)\Z", re.DOTALL)


class Place(int):
    """A line number, from 1, that also knows the columns of what stands there: from 1, the end exclusive.

    Jinja hands line numbers on from tokens to nodes and errors, and so their places.
    """

    column: int
    end_column: int

    def __new__(cls, line: int, column: int, end_column: int) -> Place:
        place = super().__new__(cls, line)
        place.column, place.end_column = column, end_column
        return place


def columns_of(line: int | None) -> tuple[int | None, int | None]:
    """Column and end column of a line that is a Place."""
    return (line.column, line.end_column) if isinstance(line, Place) else (None, None)


class PlacingLexer(Lexer):
    """Jinja's lexer, whose line numbers are Places."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        text = "\n".join(newline_re.split(source)[::2])  # as Jinja's lexer reads it
        cursor = _Cursor(text)
        place = Place(1, 1, 1)
        try:
            for _, kind, value in super().tokeniter(source, name, filename, state):
                place = cursor.take(value)
                yield place, kind, value
        except TemplateSyntaxError as error:
            message = error.message or ""
            if at := _AT.match(message):
                error.lineno = cursor.at(int(at[1]))
            elif message.startswith("Missing end"):
                error.lineno = place  # where the comment or the raw text begins
            else:
                error.lineno = cursor.at(cursor.position)
            raise


class _Cursor:
    """Goes through a text from token to token; what lies between tokens is blank."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0
        self._line, self._line_start = 1, 0

    def take(self, value: str) -> Place:
        start = self._text.find(value, self.position)
        start = self.position if start < 0 else start
        self._move_to(start)
        line, column = self._line, start - self._line_start + 1
        self._move_to(start + len(value))
        shown = value.split("\n", 1)[0]
        return Place(line, column, column + max(len(shown), 1))

    def at(self, offset: int) -> Place:
        """The character at `offset`, which lies behind what was taken."""
        self._move_to(max(offset, self.position))
        column = self.position - self._line_start + 1
        return Place(self._line, column, column + 1)

    def _move_to(self, offset: int) -> None:
        passed = self._text.count("\n", self.position, offset)
        if passed:
            self._line += passed
            self._line_start = self._text.rfind("\n", self.position, offset) + 1
        self.position = offset


class PlacingParser(Parser):
    """Jinja's parser, which says of a tag that is never closed where it was opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opened_at: list[int] = []

    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        self._opened_at.append(self.stream.current.lineno)
        statement = super().parse_statement()
        self._opened_at.pop()
        return statement

    def fail_eof(self, end_tokens: tuple[str, ...] | None = None, lineno: int | None = None) -> NoReturn:
        opened_at = self._opened_at[-1] if self._opened_at else None
        super().fail_eof(end_tokens, opened_at if lineno is None else lineno)
