"""What a page is told while somebody types: mistakes with their places, variables, includes, a preview."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.typed import typed_nothing, typed_of
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = pytest.mark.django_db
SignedIn = Callable[[Role], Client]


@pytest.fixture
def prompt(project: Project) -> Prompt:
    return make_prompt(project, "Fix")


@pytest.fixture
def tone(project: Project) -> PromptVersion:
    version = make_version(make_prompt(project, "Tone"), "Be {{ mood|default('kind') }} to {{ name }}.")
    label_set(prompt=version.prompt, by=SYSTEM, name="production", version=version)
    return version


@pytest.fixture
def check(client_as: SignedIn, prompt: Prompt) -> Callable[..., dict[str, Any]]:
    client = client_as(Role.VIEWER)

    def ask(*texts: str, values: Any = None, base: Any = None, **typed: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": text} for text in texts]
        body = {
            "typed": typed_nothing() | {"messages": messages} | typed,
            "values": values or {},
            "base": base,
        }
        address = f"/p/{prompt.project.slug}/prompts/fix/check/"
        answer = client.post(address, json.dumps(body), content_type="application/json")
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    return ask


def places(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(e["place"], e["line"], e["column"], e["end_column"]) for e in answer["errors"]]


def test_a_column_without_mistakes_is_rendered_and_measured(check: Any) -> None:
    answer = check("Hi {{ name }}", "{{ x|default('-') }}", values={"name": "Ann", "unused": "y"})
    assert answer == {
        "variables": [
            {"name": "name", "optional": False, "is_messages": False, "from_include": None},
            {"name": "x", "optional": True, "is_messages": False, "from_include": None},
        ],
        "errors": [],
        "includes": [],
        "rendered": [{"role": "user", "content": "Hi Ann"}, {"role": "user", "content": "-"}],
        "render_error": None,
        "missing": [],
        "characters": 7,
        "tokens_estimate": 11,
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "end_column", "words"),
    [
        ("a\n  {{ x|uper }}", 2, 8, 12, "did you mean “upper”?"),
        ("{{ a is odder }}", 1, 6, 8, "no test “odder”"),
        ("a\n{% if x %}\nb\n\n\nc", 2, 4, 6, "never closed"),
        ("ok\n\n{{ a && b }}", 3, 6, 7, "for “and” write and"),
        ("{{ first name }}", 1, 10, 14, "does not belong"),
        ("x\n{% nonsense %}", 2, 4, 12, "no tag “nonsense”"),
        ("x {# open", 1, 3, 5, "never closed"),
        ("{{ 'x }}", 1, 4, 5, "quotation mark"),
        ("{% set a = 1 %}{% break %}", 1, 19, 24, "inside a “{% for %}” only"),
        ("{% import 'a' as b %}", 1, 4, 10, "cannot be used"),
        ("𝒳 {{ x|uper }}", 1, 9, 13, "did you mean"),  # columns as JavaScript counts them
        ("{% if x %}{{ x|nope }}{% endif %}", 1, 16, 20, "no filter “nope”"),
        ("x\r\n{{ x|nope }}", 2, 6, 10, "no filter “nope”"),
    ],
)
def test_a_mistake_in_a_template_has_a_line_and_columns(
    text: str, line: int, column: int, end_column: int, words: str, check: Any
) -> None:
    answer = check("fine", text)
    assert places(answer) == [("messages[1].content", line, column, end_column)]
    assert words in answer["errors"][0]["message"]
    assert answer["rendered"] is None


def test_every_unknown_filter_is_told_and_other_messages_still_count(check: Any) -> None:
    answer = check("{{ a|one|two }}\n{{ b is three }}", "{{ fine }}")
    assert sorted(places(answer)) == [
        ("messages[0].content", 1, 6, 9),
        ("messages[0].content", 1, 10, 13),
        ("messages[0].content", 2, 6, 8),
    ]
    assert [variable["name"] for variable in answer["variables"]] == ["fine"]


@pytest.mark.parametrize(
    ("typed", "place", "line", "column"),
    [
        ({"tools": "[\n  {,}\n]"}, "tools", 2, 4),
        ({"extra": '{"a": 1,}'}, "parameters.extra", 1, 9),
        ({"response_schema": '{"type":\n\n oops}'}, "response_schema", 3, 2),
        ({"extra": '{"a": 1,\n "model": "x"}'}, "parameters.extra.model", 2, 11),
        ({"response_schema": '{\n  "properties": {\n    "a": {"type": "text"}\n  }\n}'}, None, 3, 19),
        (
            {"tools": '[{"type": "function",\n  "function": {"name": "no spaces"}}]'},
            "tools[0].function.name",
            2,
            24,
        ),
        ({"temperature": "hot"}, "parameters.temperature", None, None),
        ({"temperature": "3"}, "parameters.temperature", None, None),
        ({"max_tokens": "1.5"}, "parameters.max_tokens", None, None),
        ({"model": "nonsense"}, "parameters.model", None, None),
        ({"tools": "[" * 5_000}, "tools", None, None),
    ],
)
def test_mistakes_beside_the_messages_have_places_too(
    typed: dict[str, str], place: str | None, line: int | None, column: int | None, check: Any
) -> None:
    answer = check("fine", **typed)
    (found,) = answer["errors"]
    assert place is None or found["place"] == place
    assert (found["line"], found["column"]) == (line, column)
    assert answer["rendered"] == [{"role": "user", "content": "fine"}]


def test_tool_calls_that_are_no_json_have_their_place(check: Any) -> None:
    rows = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": "[\n1,]"}]
    answer = check(messages=rows)
    ((place, line, column, _),) = places(answer)
    assert (place, line) == ("messages[1].tool_calls", 2)
    assert column in (2, 3)


def test_an_error_of_rendering_points_at_the_variable(check: Any) -> None:
    answer = check("a", "x\n {{ row.name.first }}", values={"row": '{"a": 1}'})
    error = answer["render_error"]
    assert (error["place"], error["line"]) == ("messages[1].content", 2)
    assert (error["column"], error["end_column"]) == (9, 13)
    assert "no “name” in this object" in error["message"]
    assert answer["rendered"] is None
    assert check("{{ x }}")["missing"] == ["x"]


def test_a_template_without_an_end_is_stopped_and_says_so(check: Any) -> None:
    begun = time.monotonic()
    answer = check("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
    assert "took more than 0.5 seconds" in answer["render_error"]["message"]
    answer = check("{% for a in range(9999) %}{{ 'x' * 99 }}{% endfor %}")
    assert "longer than 400,000 characters" in answer["render_error"]["message"]
    assert time.monotonic() - begun < 10


def test_includes_are_shown_with_what_they_stand_for(
    check: Any, tone: PromptVersion, project: Project
) -> None:
    answer = check("{% include 'tone@production' %} {{ own }}", values={"name": "Ann", "own": "!"})
    assert answer["includes"] == [
        {
            "reference": "tone@production",
            "prompt": "tone",
            "version": 1,
            "through": None,
            "moved_to": None,
            "url": f"/p/{project.slug}/prompts/tone/versions/1/",
        }
    ]
    assert [(v["name"], v["optional"], v["from_include"]) for v in answer["variables"]] == [
        ("mood", True, "tone"),
        ("name", False, "tone"),
        ("own", False, None),
    ]
    assert answer["rendered"][0]["content"] == "Be kind to Ann. !"


def test_includes_that_cannot_be_resolved_are_mistakes_with_places(check: Any, tone: PromptVersion) -> None:
    answer = check("{{ broken", "x\n{% include 'tone@staging' %}{% include 'nobody' %}{% include 'fix' %}")
    assert places(answer)[1:] == [
        ("messages[1].content", 2, 12, 26),
        ("messages[1].content", 2, 40, 48),
        ("messages[1].content", 2, 62, 67),
    ]
    words = [error["message"] for error in answer["errors"]]
    assert "no label “staging”" in words[1]
    assert "no prompt “nobody”" in words[2]
    assert "cannot include itself" in words[3]


def test_a_saved_text_shows_what_it_keeps_and_where_the_label_went(
    check: Any, tone: PromptVersion, prompt: Prompt
) -> None:
    text = "{% include 'tone@production' %}"
    saved = make_version(prompt, text)
    newer = make_version(tone.prompt, "Be brief.")
    label_set(prompt=tone.prompt, by=SYSTEM, name="production", version=newer)
    kept = check(base=1, values={"name": "Ann"}, **typed_of(saved))
    assert [(i["version"], i["moved_to"]) for i in kept["includes"]] == [(1, 2)]
    assert kept["rendered"][0]["content"] == "Be kind to Ann."
    edited = check(text + "!", base=1)
    assert [(i["version"], i["moved_to"]) for i in edited["includes"]] == [(2, None)]
    assert edited["rendered"][0]["content"] == "Be brief.!"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"typed": None, "values": None},
        {"typed": [], "values": [], "base": []},
        {"typed": {"messages": {}}, "base": True},
        {"typed": {"messages": [None, 3, "x", [], {}, {"role": 5}]}, "base": 2**70},
        {
            "typed": {"messages": [{"role": "user", "content": "{{ a }}{{ b }}"}]},
            "values": {"a": [[]], "b": {}},
        },
        {"typed": {"messages": [{"role": "user", "content": {"x": 1}}], "tools": 5, "extra": ["x"]}},
        {"typed": {"messages": [{"role": "placeholder", "name": "h"}]}, "values": {"h": "no"}},
        {"typed": {"messages": [{"role": "placeholder", "name": ""}] * 400}},
        {"typed": {"messages": [{"role": "user", "content": "x" * 400_001}]}},
        {"typed": {"messages": [{"role": "user", "content": "x" * 300_000}] * 4}},
        {"typed": {"messages": [{"role": "user", "content": "{{" * 9_000}]}},
        {"typed": {"messages": [{"role": "user", "content": "{{ " + "(" * 9_000}]}},
        {"typed": {"messages": [{"role": "user", "content": "{% if x %}" * 900}]}},
        {"typed": {"response_schema": '{"$ref": "#"}', "tools": '{"a": 1e999}', "extra": "NaN"}},
        {"typed": {"extra": '{"a": "\\ud800"}', "seed": "9" * 9_000, "temperature": "1e999"}},
        {"typed": {"temperature": "nan", "top_p": "-inf", "max_tokens": "1e400"}},
    ],
    ids=range(17),
)
def test_whatever_is_sent_the_answer_is_no_failure(body: Any, client_as: SignedIn, prompt: Prompt) -> None:
    address = f"/p/{prompt.project.slug}/prompts/fix/check/"
    answer = client_as(Role.VIEWER).post(address, json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.content[:500]
    assert set(answer.json()) >= {"variables", "errors", "includes", "rendered", "render_error"}


def test_no_more_mistakes_are_told_than_anybody_reads(check: Any) -> None:
    assert len(check("{{ a|nope }}" * 4_000)["errors"]) == 100


def test_nothing_is_stored_and_few_queries_are_made(
    check: Any, tone: PromptVersion, django_assert_max_num_queries: Any
) -> None:
    before = PromptVersion.objects.count()
    with django_assert_max_num_queries(10):
        check("".join(f"{{% include 'tone@{n}' %}}" for n in range(9)), values={"name": "x"}, base=1)
    assert PromptVersion.objects.count() == before


def test_twenty_thousand_words_are_checked_at_once(check: Any) -> None:
    line = "An ordinary line of words of a long prompt about {{ topic }}, and more words of it.\n"
    text = line * 1_100
    assert len(text.split()) > 18_000
    check("warm {{ topic }}", values={"topic": "x"})
    took = []
    for round_ in range(3):
        begun = time.thread_time()
        answer = check(f"{round_}{text}", values={"topic": "grammar"})
        took.append(time.thread_time() - begun)
        assert answer["characters"] > 80_000
    print("seconds", took)
    assert min(took) < 1.0


def test_completions_tell_prompts_labels_and_the_words_of_the_language(
    client_as: SignedIn, project: Project, tone: PromptVersion
) -> None:
    make_prompt(project, "Without a version")
    client, address = client_as(Role.VIEWER), f"/p/{project.slug}/prompts/-/completions/"
    answer = client.get(address, {"q": "ton"}).json()
    assert answer["prompts"] == [
        {"slug": "tone", "name": "Tone", "folder": "", "latest": 1, "labels": {"production": 1}}
    ]
    assert [found["insert"] for found in answer["results"]] == ["tone@production", "tone@1", "tone"]
    assert client.get(address, {"q": "tone@pro"}).json()["results"] == answer["results"]
    assert client.get(address, {"q": "%_@x"}).json()["results"] == []
    assert "upper" in answer["filters"]
    assert not {"attr", "safe", "random"} & set(answer["filters"])
    assert "include" in answer["keywords"]
    assert not {"import", "extends", "block", "from", "autoescape"} & set(answer["keywords"])
    assert "defined" in answer["tests"]
