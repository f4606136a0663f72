"""The words of the prompt language, read from what compiles it, so that none is told that is refused."""

from __future__ import annotations

from jinja2.parser import _statement_keywords

from .codegen import REFUSED_TAGS
from .templates import filter_names, tag_names, test_names

_REFUSED = {name.split()[0] for name in REFUSED_TAGS.values()}
_OPENING = (frozenset(_statement_keywords) | {"call", "filter", "raw", *tag_names()}) - _REFUSED
_CLOSED = ("call", "filter", "for", "if", "macro", "raw", "set", "with")

FILTERS: tuple[str, ...] = tuple(sorted(filter_names()))
TESTS: tuple[str, ...] = tuple(sorted(test_names()))
#: What a tag begins with.
KEYWORDS: tuple[str, ...] = tuple(sorted({*_OPENING, "elif", "else", *(f"end{name}" for name in _CLOSED)}))
