"""What a text's Jinja is made of, for formats that know less of it, and how plain text becomes a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from jinja2 import Environment, TemplateSyntaxError

from apps.prompts.rendering import check_templates

Kind = Literal["text", "variable", "expression", "include", "block", "comment", "raw"]
INCLUDE = re.compile(r"\{%[-+]?\s*include\s+(?:\"([^\"]*)\"|'([^']*)')\s*[-+]?%\}")
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_WORD = re.compile(r"\{%[-+]?\s*([a-z]+)")
_OPENER = re.compile(r"\{(?=[{%#])")
#: Jinja takes the line break after a tag away.
_INCLUDE_LINE = re.compile(INCLUDE.pattern + r"\n?")
_MAX_INCLUDED_CHARS = 1_000_000
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template. `name` is the variable's, the include's reference, or the block's word."""

    kind: Kind
    source: str
    name: str = ""


@cache
def _lexer() -> Environment:
    return Environment(extensions=["jinja2.ext.loopcontrols"])  # noqa: S701  # it takes texts apart only


def pieces(text: str) -> list[Piece]:
    """`text` in pieces; their sources make `text` again. One piece of text where it is no template."""
    try:
        return list(_pieces(text))
    except TemplateSyntaxError:
        return [Piece("text", text)]


def _pieces(text: str) -> Iterator[Piece]:
    source, ends = "", ""
    # Jinja's lexer takes one line break off the end and makes all of them \n.
    for _, token, value in _lexer().lex(text):
        if ends:
            source += value
            if token == ends:
                yield _piece(source, ends)
                source, ends = "", ""
        elif token.endswith("_begin"):
            source, ends = value, token.replace("_begin", "_end")
        else:
            yield Piece("text", value)


def _piece(source: str, ends: str) -> Piece:
    if ends == "comment_end":
        return Piece("comment", source)
    if ends == "raw_end":
        return Piece("raw", source)
    if ends == "variable_end":
        match = _VARIABLE.fullmatch(source)
        return Piece("variable", source, match[1]) if match else Piece("expression", source)
    if match := INCLUDE.fullmatch(source):
        return Piece("include", source, match[1] or match[2] or "")
    word = _WORD.match(source)
    return Piece("block", source, word[1] if word else "")


def includes_of(text: str) -> list[str]:
    """References in the order of first use."""
    return list(dict.fromkeys(piece.name for piece in pieces(text) if piece.kind == "include"))


def with_includes(text: str, resolved: Mapping[str, str]) -> str:
    """`text` with the texts that its includes stand for, theirs written out as well.

    A reference that `resolved` does not know stays as it is; so does all of `text` where it would grow beyond
    1,000,000 characters.
    """
    parts: list[str] = []
    return "".join(parts) if _write_out(text, resolved, parts, [_MAX_INCLUDED_CHARS], 0) else text


def _write_out(text: str, resolved: Mapping[str, str], parts: list[str], left: list[int], depth: int) -> bool:
    """Add the pieces of `text` to `parts`; False when `left`, the characters there is room for, runs out."""
    end = 0
    for match in _INCLUDE_LINE.finditer(text) if depth <= _MAX_DEPTH else ():
        inner = resolved.get(match[1] or match[2] or "")
        if inner is None:
            continue
        if not _add(text[end : match.start()], parts, left):
            return False
        if not _write_out(inner, resolved, parts, left, depth + 1):
            return False
        end = match.end()
    return _add(text[end:], parts, left)


def _add(text: str, parts: list[str], left: list[int]) -> bool:
    parts.append(text)
    left[0] -= len(text) + 1  # so that empty texts come to an end, too
    return left[0] >= 0


def literal(text: str) -> str:
    """A template that renders to `text`, braces and all."""
    return _OPENER.sub('{{ "{" }}', text)


def from_plain(text: str) -> tuple[str, str]:
    """Text with {{variables}} from elsewhere as a template, and a remark on what was changed ("": nothing).

    What compiles is taken as it is; where it does not, variables stay and all other braces become text.
    """
    if not _OPENER.search(text):
        return text, ""
    if _compiles(text):
        return text, "what stands in {# #} is a comment here, which is not sent" if "{#" in text else ""
    parts: list[str] = []
    end = 0
    for match in re.finditer(r"\{\{([^{}%#]+)\}\}", text):
        name = identifier(match[1])
        parts += [literal(text[end : match.start()]), "{{ " + name + " }}" if name else literal(match[0])]
        end = match.end()
    made = "".join([*parts, literal(text[end:])])
    if not _compiles(made):
        return literal(text), "it is no template that can be read here, so that its braces are plain text"
    return made, "braces that are no variable became plain text, and variables' names letters, digits and _"


def identifier(name: str) -> str:
    """A variable's name made of letters, digits and _; "" when nothing of it can be kept."""
    made = re.sub(r"\W+", "_", name.strip(), flags=re.ASCII).strip("_")
    if made and made[0].isdigit():
        made = f"_{made}"
    return made if made.isidentifier() else ""


def _compiles(text: str) -> bool:
    if text.endswith("{#"):  # which Jinja takes for a comment that is closed
        return False
    return not check_templates([{"role": "user", "content": text}])
