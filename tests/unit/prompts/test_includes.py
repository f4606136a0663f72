"""Texts of other prompts inside a prompt's: same names, same sandbox, same limits; errors that say where."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apps.prompts.rendering import (
    IncludeFailed,
    RenderError,
    RenderLimits,
    SizeLimitExceeded,
    TemplateRefused,
    TimeLimitExceeded,
    UndefinedVariable,
    Variable,
    include_tags,
    parse_reference,
    render_messages,
    variables_of,
)


def entry(text: str, slug: str = "tone", version: int = 3, **includes: str) -> dict[str, Any]:
    return {"prompt": slug, "version": version, "version_id": "x", "text": text, "includes": includes}


def rendered(
    template: str, includes: dict[str, Any], limits: RenderLimits | None = None, **inputs: Any
) -> str:
    messages = [{"role": "user", "content": template}]
    return str(render_messages(messages, inputs, includes=includes, limits=limits)[0]["content"])


@pytest.mark.parametrize(
    ("template", "included", "inputs", "expected"),
    [
        ("{% include 'tone@production' %}!", "Be kind", {}, "Be kind!"),
        ("A\n{% include 'tone@production' %}\nB", "Be kind", {}, "A\nBe kindB"),
        ("{% include 'tone@production' %}", "Hi {{ name }}", {"name": "Ann"}, "Hi Ann"),
        (
            "{% for x in xs %}{% include 'tone@production' %}{% endfor %}",
            "{{ loop.index }}{{ x }}",
            {"xs": "ab"},
            "1a2b",
        ),
        (
            "{% with tone = 'formal' %}{% include 'tone@production' %}{% endwith %}",
            "Be {{ tone }}.",
            {},
            "Be formal.",
        ),
        ("{% set tone = 'calm' %}{% include 'tone@production' %}", "Be {{ tone }}.", {}, "Be calm."),
        ("{% set x %}{% include 'tone@production' %}{% endset %}{{ x|upper }}", "kind", {}, "KIND"),
        (
            "{% macro m(tone) %}{% include 'tone@production' %}{% endmacro %}{{ m('brief') }}",
            "Be {{ tone }}.",
            {},
            "Be brief.",
        ),
        ("{% if on %}{% include 'tone@production' %}{% endif %}x", "{{ missing }}", {"on": 0}, "x"),
        ("{% set x = 1 %}{% include 'tone@production' %}{{ x }}", "{% set x = 2 %}", {}, "1"),
        ("{% raw %}{% include 'no' %}{% endraw %}", "", {}, "{% include 'no' %}"),
        ("{% include 'tone@production' %}", "{{ a }}", {"a": "{% include 'b' %}"}, "{% include 'b' %}"),
    ],
)
def test_an_included_text_sees_what_is_known_around_its_tag(
    template: str, included: str, inputs: dict[str, Any], expected: str
) -> None:
    assert rendered(template, {"tone@production": entry(included)}, **inputs) == expected


def test_an_include_in_an_include_is_what_its_version_kept() -> None:
    includes = {
        "tone": entry("T:{% include 'style@production' %}", **{"style@production": "style@2"}),
        "style@production": entry("newer", "style", 5),
        "style@2": entry("older", "style", 2),
    }
    assert rendered("{% include 'tone' %} {% include 'style@production' %}", includes) == "T:older newer"


def test_variables_of_included_prompts_are_the_prompts_own() -> None:
    includes = {
        "tone": entry(
            "{{ tone }} {{ mood|default('calm') }} {{ shared }}{% include 'in' %}", **{"in": "deep@1"}
        ),
        "deep@1": entry("{{ deep }}{{ loop_name }}", "deep", 1),
    }
    messages = [
        {
            "role": "system",
            "content": "{{ shared }}{% with loop_name = 1 %}{% include 'tone' %}{% endwith %}",
        },
        {"role": "user", "content": "{{ mood }}"},
    ]
    assert variables_of(messages, includes) == [
        Variable("shared"),
        Variable("deep", from_include="tone"),
        Variable("mood"),
        Variable("tone", from_include="tone"),
    ]
    assert [v.name for v in variables_of(messages)] == ["shared", "mood"]


def test_a_fault_in_an_included_prompt_names_the_prompt_and_both_lines() -> None:
    includes = {
        "tone": entry("one\n{% include 'in' %}", **{"in": "deep@1"}),
        "deep@1": entry("\n\n{{ missing }}", "deep", 1),
    }
    with pytest.raises(UndefinedVariable) as caught:
        rendered("x\ny {% include 'tone' %}", includes)
    error = caught.value
    assert str(error) == (
        "Message 1, line 2: in “tone” version 3, line 2: in “deep” version 1, line 3: "
        "the variable “missing” has no value"
    )
    assert error.included == (("tone", 3, 2), ("deep", 1, 3))
    assert (error.message_index, error.line, error.variable) == (0, 2, "missing")


def test_an_include_that_nothing_is_known_of_is_an_error() -> None:
    for includes in ({}, {"tone@2": entry("x")}):
        with pytest.raises(IncludeFailed, match="“tone” is not known"):
            rendered("{% include 'tone' %}", includes)
    with pytest.raises(IncludeFailed, match="in “tone” version 3, line 1: the included prompt “b”"):
        rendered("{% include 'tone' %}", {"tone": entry("{% include 'b' %}"), "b": entry("x")})


@pytest.mark.parametrize(
    ("template", "included"),
    [
        (
            "{% include 'tone' %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        ),
        (
            "{% for a in range(99999) %}{% include 'tone' %}{% endfor %}",
            "{% for b in range(99999) %}{% endfor %}",
        ),
        ("{% for a in range(99999) %}{% include 'tone' %}{% endfor %}", "x" * 10_000),
        ("{% for a in range(99999) %}{% include 'tone' %}{% endfor %}", "{{ 'x' * 10000 }}"),
        ("{% include 'tone' %}", "{{ 'a' * 10**9 }}"),
        ("{% set x %}{% for a in range(99999) %}{% include 'tone' %}{% endfor %}{% endset %}", "x" * 10_000),
        ("{% for a in range(99999) %}{% include 'tone' %}{% endfor %}", ""),
    ],
    ids=range(7),
)
def test_included_prompts_draw_on_the_same_budget(template: str, included: str) -> None:
    begun = time.thread_time()
    with pytest.raises((TimeLimitExceeded, SizeLimitExceeded)):
        rendered(template * 20, {"tone": entry(included)}, RenderLimits(seconds=0.3))
    assert time.thread_time() - begun < 3


def test_includes_that_lead_in_a_circle_end_even_when_they_were_forged() -> None:
    forged = {"a": entry("{% include 'a' %}{% include 'a' %}", "a", 1, a="a")}
    with pytest.raises(SizeLimitExceeded, match="more than 10 levels deep"):
        rendered("{% include 'a' %}", forged)
    assert variables_of([{"role": "user", "content": "{% include 'a' %}"}], forged) == []


def test_many_ways_through_few_prompts_are_analysed_once_each() -> None:
    """Each of nine levels includes both prompts of the next: 512 ways, eighteen texts."""
    includes: dict[str, Any] = {}
    for level in range(9):
        for side in "ab":
            text = "{% include 'a' %}{% include 'b' %}{{ x" + str(level) + " }}"
            below = {"a": f"a@{level + 2}", "b": f"b@{level + 2}"} if level < 8 else {}
            includes[f"{side}@{level + 1}"] = entry(text if below else "{{ end }}", side, level + 1, **below)
    names = {v.name for v in variables_of([{"role": "user", "content": "{% include 'a@1' %}"}], includes)}
    assert names == {"end", *(f"x{level}" for level in range(8))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tone", ("tone", "", None)),
        ("tone@latest", ("tone", "", None)),
        ("tone@3", ("tone", "", 3)),
        ("tone@production", ("tone", "production", None)),
        ("my_tone-2@v1.2", ("my_tone-2", "v1.2", None)),
    ],
)
def test_a_reference_names_a_prompt_and_a_label_or_a_version(
    text: str, expected: tuple[str, str, int | None]
) -> None:
    reference = parse_reference(text)
    assert reference is not None
    assert (reference.slug, reference.label, reference.number) == expected


@pytest.mark.parametrize(
    "text",
    ["", " tone", "Tone", "tone@", "@3", "a@b@c", "../a", "a/b", "tone@99999999999", "tonë", "a" * 90, "a\n"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    assert parse_reference(text) is None


def test_an_include_is_found_with_its_line_and_column() -> None:
    messages = [
        {"role": "system", "content": "a\n  {% include 'x' %}{%- include  \"y@2\" -%}"},
        {"role": "user", "content": "{% broken"},
        {"role": "user", "content": "\r\n{{ 1 }}\r\n\r\n  {%- include 'z' %}"},
    ]
    found = [
        (index, tag.reference, int(tag.place), tag.place.column, tag.place.end_column)
        for index, tag in include_tags(messages)
    ]
    assert found == [(0, "x", 2, 14, 17), (0, "y@2", 2, 33, 38), (2, "z", 4, 15, 18)]


@pytest.mark.parametrize("template", ["{{ ''.__class__ }}", "{{ x|attr('y') }}", "{% import 'a' as b %}"])
def test_an_included_text_runs_in_the_sandbox(template: str) -> None:
    with pytest.raises(RenderError) as caught:
        rendered("{% include 'tone' %}", {"tone": entry(template)}, x="x")
    assert not isinstance(caught.value, IncludeFailed)
    if "class" in template:
        assert isinstance(caught.value, TemplateRefused)
