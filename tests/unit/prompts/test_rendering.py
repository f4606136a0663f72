"""Prompts are rendered as Jinja says; errors tell message, line and variable; inputs stay data."""

from __future__ import annotations

from typing import Any

import pytest

from apps.prompts.rendering import (
    InvalidInputs,
    RenderError,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateSyntax,
    UndefinedVariable,
    Variable,
    check_templates,
    render_messages,
    variables_of,
)


def rendered(template: str, **inputs: Any) -> str:
    return render_messages([{"role": "user", "content": template}], inputs)[0]["content"]


@pytest.mark.parametrize(
    ("template", "inputs", "expected"),
    [
        ("No tags { } here", {}, "No tags { } here"),
        ("Hi {{ name }}!\n", {"name": "Ann"}, "Hi Ann!\n"),
        ("{{ a.b.c }} {{ a['b']['c'] }}", {"a": {"b": {"c": 1}}}, "1 1"),
        ("{{ order.items }}", {"order": {"items": "the data, not the method"}}, "the data, not the method"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", {"d": {"x": 1}}, "x=1;"),
        ("{% if long %}\n  yes\n{% endif %}\nend", {"long": True}, "  yes\nend"),
        (
            "{% for q in qs %}\n{{ loop.index }}. {{ q.text|trim }}\n{% endfor %}",
            {"qs": [{"text": " a "}, {"text": "b"}]},
            "1. a\n2. b\n",
        ),
        ("{% for x in xs if x > 1 %}{{ x }}{% else %}none{% endfor %}", {"xs": [1]}, "none"),
        (
            "{% for n in t recursive %}{{ n.v }}{% if n.c is defined %}({{ loop(n.c) }}){% endif %}"
            "{% endfor %}",
            {"t": [{"v": 1, "c": [{"v": 2}]}]},
            "1(2)",
        ),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m(x=2) }}", {}, "<1><2>"),
        ("{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}a{% endcall %}", {}, "a!"),
        (
            "{% set n = namespace(n=0) %}{% for i in xs %}{% set n.n = n.n + i %}{% endfor %}{{ n.n }}",
            {"xs": [1, 2]},
            "3",
        ),
        ("{% set x %}a{{ 1 }}{% endset %}{{ x ~ x }}", {}, "a1a1"),
        ("{{ d|tojson }}", {"d": {"é'<": [None, True]}}, '{"é\'<": [null, true]}'),
        ("{{ d|tojson(indent=2) }}", {"d": [1]}, "[\n  1\n]"),
        ("{{ xs|map(attribute='v')|join(', ') }}", {"xs": [{"v": 1}, {"v": 2}]}, "1, 2"),
        ("{{ xs|sort|reverse|list }}", {"xs": [1, 3, 2]}, "[3, 2, 1]"),
        (
            "{% for g in xs|groupby('k') %}{{ g.grouper }}:{{ g.list|length }} {% endfor %}",
            {"xs": [{"k": "a"}, {"k": "b"}, {"k": "a"}]},
            "a:2 b:1 ",
        ),
        ("{{ 'abc'.upper() }} {{ 'a,b'.split(',')[1] }} {{ 'abc'[::-1] }}", {}, "ABC b cba"),
        ("{{ '%s is %05.1f'|format('x', 2) }} {{ '%d%%' % 5 }}", {}, "x is 002.0 5%"),
        ("{{ x|default('none') }} {{ x is defined }}", {}, "none False"),
        (
            "{{ 7 // 2 }} {{ 2 ** 10 }} {{ 7 % 4 }} {{ 'ab' * 3 }} {{ [1] + [2] }}",
            {},
            "3 1024 3 ababab [1, 2]",
        ),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", {}, "01"),
        ("{% raw %}{{ kept }}{% endraw %}{# gone #}", {}, "{{ kept }}"),
        ("{{ text|wordwrap(3) }}|{{ text|truncate(4, true, '…', 0) }}", {"text": "abc def"}, "abc\ndef|abc…"),
        ("{{ none_value }} {{ flag }}", {"none_value": None, "flag": False}, "None False"),
    ],
)
def test_the_language_is_jinja(template: str, inputs: dict[str, Any], expected: str) -> None:
    assert rendered(template, **inputs) == expected


def test_inputs_are_data_and_never_templates() -> None:
    attack = "{{ 7 * 7 }}{% for x in y %}{# #}"
    assert rendered("{{ a }} {{ b.c }} {{ d|join }}", a=attack, b={"c": attack}, d=[attack]) == " ".join(
        [attack] * 3
    )


def test_all_parts_of_a_message_are_kept() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": {"b": 1}}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "{{ answer }}", "tool_call_id": "1", "name": "f"},
    ]
    assert render_messages(messages, {"answer": "42"}) == [
        messages[0],
        {"role": "tool", "content": "42", "tool_call_id": "1", "name": "f"},
    ]


def test_a_placeholder_takes_messages_and_leaves_their_text_alone() -> None:
    messages = [{"role": "placeholder", "name": "history"}, {"role": "user", "content": "{{ q }}"}]
    history = [{"role": "user", "content": "{{ q }}"}, {"role": "assistant", "content": "a"}]
    expected = [*history, {"role": "user", "content": "now"}]
    assert render_messages(messages, {"q": "now", "history": history}) == expected
    as_text = '[{"role": "user", "content": "{{ q }}"}, {"role": "assistant", "content": "a"}]'
    assert render_messages(messages, {"q": "now", "history": as_text}) == expected
    assert render_messages(messages, {"q": "now", "history": []}) == expected[2:]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("not json", "not a JSON list"),
        ({"role": "user"}, "inputs.history: Give a list"),
        ([{"role": "user", "content": "x"}, {"role": "nobody", "content": ""}], "inputs.history[1].role"),
        ([{"role": "placeholder", "name": "history"}], "inputs.history[0].role"),
        ([{"role": "user", "content": 5}], "inputs.history[0].content"),
    ],
)
def test_a_placeholder_without_messages_says_which_and_why(value: Any, words: str) -> None:
    with pytest.raises(InvalidInputs) as caught:
        render_messages([{"role": "placeholder", "name": "history"}], {"history": value})
    assert caught.value.variable == "history"
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("template", "line", "variable"),
    [
        ("{{ sentence }}", 1, "sentence"),
        ("a\nb\n{{ sentence|upper }}", 3, "sentence"),
        ("a\n{% if sentence %}x{% endif %}", 2, "sentence"),
        ("{% for x in sentence %}{% endfor %}", 1, "sentence"),
        ("{{ 1 + sentence }}", 1, "sentence"),
        ("{{ [sentence] }}", 1, "sentence"),
        ("{{ sentence ~ 'x' }}", 1, "sentence"),
        ("{{ sentence.part }}", 1, "sentence"),
        ("{{ sentence(1) }}", 1, "sentence"),
        ("{{ {'a': sentence}|tojson }}", 1, "sentence"),
        ("\n{{ row.missing }}", 2, "missing"),
        ("{{ row['missing'] }}", 1, "missing"),
    ],
)
def test_a_missing_variable_is_named_with_its_message_and_line(
    template: str, line: int, variable: str
) -> None:
    messages = [{"role": "system", "content": "fine"}, {"role": "user", "content": template}]
    with pytest.raises(UndefinedVariable) as caught:
        render_messages(messages, {"row": {"a": 1}})
    error = caught.value
    assert (error.message_index, error.line, error.variable) == (1, line, variable)
    assert error.field == "messages[1].content"
    assert variable in str(error)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("x\n{% if %}", "a condition is missing before “%}”"),
        ("x\n{% if a %}", "“{% if %}” is never closed; add “{% endif %}”"),
        ("x\n{{ first name }}", "“name” does not belong between"),
        ("x\n{{ a }", "a single “}”"),
        ("x\n{{ }}", "nothing between “{{” and “}}”"),
        ("x\n{{ (a }}", "“)” is missing before “}”"),
        ("x\n{{ a && b }}", "for “and” write and"),
        ("x\n{{ 'a }}", "a quotation mark is opened and never closed"),
        ("x\n{{ a|uper }}", "did you mean “upper”?"),
        ("x\n{% if a = b %}{% endif %}", "to compare, write “==”"),
        ("x\n{% nonsense %}", "there is no tag “nonsense”"),
        ("x\n{# a", "end it with “#}”"),
        ("x\n{{{ a }}}", "put a space between"),
        ("x\n{{ a", "“{{” is never closed; end it with “}}”"),
        ("x\n{% for a in b %}", "add “{% endfor %}”"),
        ("x\n{% endif %}", "closes nothing"),
        ("x\n{{ a|no_such_filter }}", "no_such_filter"),
        ("x\n{% include other %}", "between quotation marks"),
        ("x\n{% include 'a' ~ 'b' %}", "between quotation marks"),
        ("x\n{% include ['a', 'b'] %}", "between quotation marks"),
        ("x\n{% include 'a' ignore missing %}", "is an error"),
        ("x\n{% include 'a' without context %}", "sees the same variables"),
        ("x\n{% include '../a' %}", "cannot read"),
        ("x\n{% include 'a@b@c' %}", "cannot read"),
        ("x\n{% include '' %}", "cannot read"),
        ("x\n{% import 'other' as o %}", "import"),
        ("x\n{% extends 'other' %}", "extends"),
        ("x\n{% block b %}{% endblock %}", "block"),
        ("x\n{% autoescape true %}{% endautoescape %}", "autoescape"),
    ],
)
def test_a_text_that_is_no_template_is_told_with_its_line(template: str, words: str) -> None:
    errors = check_templates([{"role": "user", "content": "ok"}, {"role": "user", "content": template}])
    assert [(e.message_index, e.line, type(e)) for e in errors] == [(1, 2, TemplateSyntax)]
    assert words in str(errors[0])
    assert str(errors[0]).startswith("Message 2, line 2: ")
    assert not any(jargon in str(errors[0]) for jargon in ("token", "print statement", "Jinja"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 + 'a' }}",
        "{{ 1 / 0 }}",
        "{{ 'abc'|truncate(1) }}",
        "{{ {}[[]] }}",
        "{{ range }}",
        "{{ [1]|map('upper') }}",
        "{{ 'x'.index('y') }}",
        "{{ xs|sort }}",
        "{{ 5[1:2] }}",
        "{{ xs|sum(start=[]) }}",
        "{{ xs|join('a', 'b', 'c') }}",
        "{{ self }}",
        "{{ '%d'|format('x') }}",
        "{% for a, b in xs %}{% endfor %}",
    ],
)
def test_an_expression_that_fails_is_an_error_of_the_prompt_not_of_ours(template: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        rendered(template, xs=[1, "a"])
    assert caught.value.line == 1


@pytest.mark.parametrize("template", ["{{ '\\ud800' }}", "{{ '\\0' }}"])
def test_what_cannot_be_stored_or_sent_is_refused(template: str) -> None:
    with pytest.raises(TemplateFailed):
        rendered(template)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", rendered, [object()], {"a": {1}}])
def test_inputs_that_are_not_plain_json_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInputs) as caught:
        rendered("{{ thing }}", thing=value)
    assert caught.value.variable == "thing"


def test_variables_are_found_by_themselves() -> None:
    messages = [
        {"role": "system", "content": "{{ b }} {{ a|default('') }}"},
        {"role": "placeholder", "name": "history"},
        {
            "role": "user",
            "content": "{% set own = 1 %}{{ own }}{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}"
            "{{ range(3)|list }}{% if c is defined %}{{ c }}{% endif %}{% macro m(p) %}{{ p }}{% endmacro %}",
        },
        {"role": "user", "content": "{{ a }} {% raw %}{{ raw }}{% endraw %}{# {{ comment }} #}"},
    ]
    assert variables_of(messages) == [
        Variable("b"),
        Variable("a"),
        Variable("history", is_messages=True),
        Variable("xs"),
        Variable("c", optional=True),
    ]


def test_the_output_of_all_messages_together_is_limited() -> None:
    half = "x" * 1_200_000
    assert len(rendered("{{ a }}", a=half)) == len(half)
    messages = [{"role": "user", "content": "{{ a }}"}, {"role": "user", "content": "{{ a }}"}]
    with pytest.raises(SizeLimitExceeded, match="longer than 2,000,000"):
        render_messages(messages, {"a": half})
    with pytest.raises(RenderError):
        render_messages(
            [{"role": "placeholder", "name": "h"}], {"h": [{"role": "user", "content": half}] * 2}
        )
