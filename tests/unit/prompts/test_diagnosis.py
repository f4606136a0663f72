"""Whatever is typed, a mistake has a place that lies in the text, and nothing else is raised."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.prompts.json_places import mistake_in, steps_of, value_place
from apps.prompts.rendering import diagnose, include_tags
from apps.prompts.rendering.diagnosis import place_of
from apps.prompts.rendering.errors import RenderError

PIECES = [
    "{{",
    "{%",
    "{#",
    "}}",
    "%}",
    "#}",
    "{%-",
    "-%}",
    "{{-",
    "-}}",
    "if",
    "endif",
    "for",
    "endfor",
    "in",
    "x",
    "y",
    "else",
    "elif",
    "set",
    "=",
    "==",
    "|",
    ".",
    "(",
    ")",
    "[",
    "]",
    "'",
    '"',
    "\\",
    ",",
    ":",
    "~",
    "+",
    "include",
    "'tone@3'",
    "'a'",
    "with",
    "endwith",
    "macro",
    "endmacro",
    "call",
    "raw",
    "endraw",
    "is",
    "not",
    "defined",
    "upper",
    "nope",
    "break",
    "loop",
    "é",
    "𝒳",
    "1",
    "2.5",
]
TEXTS = st.lists(st.sampled_from([*PIECES, " ", "\n", "\r\n", "\t"]), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(TEXTS, st.text(alphabet="{}%#'\"|. \n\rax(", max_size=40)))
def test_a_mistake_lies_in_the_text(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for error in diagnose(text):
        assert isinstance(error, RenderError)
        if error.line is None:
            continue
        assert 1 <= error.line <= len(lines)
        assert error.column is not None
        assert error.end_column is not None
        assert 1 <= error.column < error.end_column
        assert error.column <= len(lines[error.line - 1]) + 1
        assert place_of(error, text) is not None
    for _, tag in include_tags([{"role": "user", "content": text}]):
        line = lines[tag.place - 1]
        assert line[tag.place.column - 1] in "'\""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab c", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(value=JSON, indent=st.sampled_from([None, 2]))
def test_a_value_is_found_where_it_stands(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    assert mistake_in(text) is None
    waiting: list[tuple[list[str | int], object]] = [([], value)]
    while waiting:
        steps, here = waiting.pop()
        place = value_place(text, steps)
        assert place is not None
        rest = "\n".join(text.split("\n")[place.line - 1 :])[place.column - 1 :]
        assert json.JSONDecoder().raw_decode(rest)[0] == here
        if isinstance(here, dict):
            waiting += [([*steps, name], item) for name, item in here.items()]
        elif isinstance(here, list):
            waiting += [([*steps, index], item) for index, item in enumerate(here)]


@given(text=st.text(max_size=30), steps=st.lists(st.text(max_size=3) | st.integers(0, 3), max_size=3))
def test_a_text_that_is_no_json_raises_nothing(text: str, steps: list[str | int]) -> None:
    mistake_in(text)
    value_place(text, steps)


def test_a_path_is_read_as_steps() -> None:
    assert steps_of("tools[0].function.name") == ["tools", 0, "function", "name"]
