"""What is wrong with a template's text, in words for the person who wrote it: what it is and what to do.

Jinja2's messages speak of tokens and print statements. What is known here is said anew, the rest quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from jinja2.exceptions import TemplateSyntaxError

_TAGS = "if, for, set, include, macro, call, filter, with, raw, break and continue"
_CLOSES = {"end of print statement": "}}", "end of statement block": "%}", "begin of print statement": "{{"}
_OPERATORS = {"&": "; for “and” write and", "!": "; for “not” write not, for “is not equal” write !="}
#: Messages that always mean the same.
_FIXED = {
    "unexpected '}'": "there is a single “}” inside a tag; “{{” ends with “}}”, and “{%” with “%}”",
    "unexpected 'end of template'": "the text ends inside a tag; finish it, and end it with “}}” or “%}”",
    "Expected an expression, got 'end of print statement'": (
        "there is nothing between “{{” and “}}”; write a variable's name, such as {{ name }}"
    ),
    "Expected an expression, got 'end of statement block'": (
        "a name or a condition is missing before “%}”, as in {% if name %}"
    ),
    "tag name expected": "there is nothing between “{%” and “%}”; write what to do, such as {% if name %}",
    "expected name or number": "the name of a field is missing after the dot, as in {{ person.name }}",
    "expected subscript expression": "the name of a field is missing, as in {{ person.name }}",
    "Missing end of comment tag": "the comment “{#” is never closed; end it with “#}”",
    "Missing end of raw directive": "“{% raw %}” is never closed; add “{% endraw %}”",
    "invalid syntax for function call expression": "the arguments in “( )” cannot be read",
    "Invalid character in identifier": "a name has a character that is none; use letters, digits and _",
    "You cannot chain multiple tests with is": "only one test follows “is”; join two tests with “and”",
}


def plain_words(error: TemplateSyntaxError, *, filters: Iterable[str], tests: Iterable[str]) -> str:
    """A clause without a full stop that says what is wrong and what to do.

    `filters` and `tests` are the names there are, to propose one that is alike.
    """
    message = (error.message or "").rstrip(".")
    if message in _FIXED:
        return _FIXED[message]
    for pattern, words in _KNOWN:
        if match := pattern.match(message):
            return words(*match.groups())
    if match := re.match(r"No (filter|test) named '(.+)'", message):
        return _unknown(match[1], match[2], filters if match[1] == "filter" else tests)
    if message.startswith("the tag “"):  # our own words
        return message
    return f"this cannot be read as a template ({message[:300] or 'no reason is known'})"


def _unclosed(expected: str) -> str:
    mark = _CLOSES.get(expected)
    if mark is None:
        return f"the text ends too early; “{expected}” is missing"
    return f"“{'{{' if mark == '}}' else '{%'}” is never closed; end it with “{mark}”"


def _too_much(got: str) -> str:
    got = _CLOSES.get(got, got)
    return (
        f"“{got}” does not belong between “{{{{” and “}}}}”: either “}}}}” is missing before it, "
        "or a name is written with a space (write first_name, not first name)"
    )


def _too_much_in_tag(got: str) -> str:
    if got == "=":
        return "“=” cannot stand here; to compare, write “==”"
    return f"“{_CLOSES.get(got, got)}” is one too many in this tag, or “%}}” is missing before it"


def _instead(expected: str, got: str) -> str:
    expected, got = _CLOSES.get(expected, expected), _CLOSES.get(got, got)
    if (expected, got) == (":", "}"):
        return "“{{{” cannot be read; for a brace beside a value put a space between, as in { {{ name }} }"
    if expected == "in":
        return f"“in” is missing before “{got}”; a loop reads {{% for item in items %}}"
    return f"“{got}” stands where “{expected}” is needed"


def _never_closed(tag: str) -> str:
    if tag == "set":
        return "“{% set %}” has no value; write {% set name = value %}, or close it with “{% endset %}”"
    return f"“{{% {tag} %}}” is never closed; add “{{% end{tag} %}}” after what belongs to it"


def _out_of_place(tag: str, open_tag: str | None) -> str:
    if open_tag and tag.startswith("end"):
        wanted = f"“{{% {open_tag} %}}” is open, and ends with “{{% end{open_tag} %}}”"
        return f"“{{% {tag} %}}” does not fit: {wanted}"
    if tag.startswith("end"):
        return f"“{{% {tag} %}}” closes nothing: no “{{% {tag.removeprefix('end')} %}}” is open; take it out"
    if tag in ("else", "elif"):
        return f"“{{% {tag} %}}” cannot stand here: it follows an open “{{% if %}}”" + (
            ", or once a “{% for %}”" if tag == "else" else ""
        )
    return f"there is no tag “{tag}”; there are {_TAGS}"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    alike = get_close_matches(name, list(known), n=1)
    return f"there is no {kind} “{name}”" + (f"; did you mean “{alike[0]}”?" if alike else "; take it out")


def _character(char: str) -> str:
    if char in "\"'":
        return "a quotation mark is opened and never closed; add the second one"
    return f"“{char}” means nothing inside a tag{_OPERATORS.get(char, '; take it out')}"


def _closes_nothing(mark: str) -> str:
    if mark in _CLOSES:
        return f"something is missing before “{_CLOSES[mark]}”"
    if mark in (")", "]"):
        return f"“{mark}” closes nothing; take it out, or open it before"
    return f"“{mark}” cannot stand here"


_KNOWN: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (re.compile(r"unexpected end of template, expected '(.+)'"), _unclosed),
    (re.compile(r"expected token 'end of print statement', got '(.+)'"), _too_much),
    (re.compile(r"expected token 'end of statement block', got '(.+)'"), _too_much_in_tag),
    (re.compile(r"expected token '(.+)', got '(.+)'"), _instead),
    (
        re.compile(r"unexpected '(.+)', expected '(.+)'"),
        lambda got, expected: f"“{expected}” is missing before “{got}”",
    ),
    (re.compile(r"unexpected '(.+)'"), _closes_nothing),
    (re.compile(r"Unexpected end of template.*to be closed is '(\w+)'"), _never_closed),
    (re.compile(r"Encountered unknown tag '(\w+)'(?:.*to be closed is '(\w+)')?"), _out_of_place),
    (re.compile(r"unexpected char ['\"](.+)['\"] at \d+"), _character),
    (
        re.compile(r"can't assign to '(\w+)'"),
        lambda _: "only a name can be given a value, as in {% set name = 1 %}",
    ),
)
