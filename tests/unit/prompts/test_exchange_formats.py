"""OpenAI requests, promptfoo configurations, Langfuse prompts: there and back, and what is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from apps.prompts.content import parse_content
from apps.prompts.exchange import langfuse, openai_json, promptfoo
from apps.prompts.exchange.formats import FORMATS, read_file
from apps.prompts.exchange.record import Endpoint, Found, PromptRecord, UnreadableFile
from apps.prompts.exchange.templates import from_plain, literal, pieces, with_includes
from apps.prompts.rendering import render_messages

CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
RECORD = PromptRecord(
    name="Fix grammar",
    slug="fix-grammar",
    folder="support/replies",
    tags=["writing"],
    note="the first",
    labels=["production"],
    variables=["sentence", "history"],
    resolved={"tone@production": "Be {{ tone }}."},
    messages=[
        {"role": "system", "content": 'Correct "this".\n{% include "tone@production" %}\n'},
        {"role": "placeholder", "name": "history"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "found", "tool_call_id": "c1"},
        {"role": "user", "content": "{{ sentence }}{% if loud %}!{% endif %}"},
    ],
    parameters={
        "model": "main/gpt-4o",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": 7,
        "stop": ["END"],
        "extra": {"frequency_penalty": 0.1},
    },
    tools=[TOOL],
    response_schema=SCHEMA,
)
OPENAI = Endpoint("openai", "https://api.openai.com/v1", "gpt-4o")
OTHER = Endpoint("openai", "http://127.0.0.1:9/v1", "gpt-4o")


def one(raw: Any) -> Found:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    _, found = read_file(text.encode())
    assert len(found) == 1
    return found[0]


def record(raw: Any) -> PromptRecord:
    found = one(raw)
    assert not found.problem
    assert found.record is not None
    parse_content(
        messages=found.record.messages,
        parameters={**found.record.parameters, "model": None},
        tools=found.record.tools,
        response_schema=found.record.response_schema,
    )
    return found.record


# --- OpenAI ---


def test_an_openai_request_is_what_the_api_takes() -> None:
    written = openai_json.write(RECORD, OPENAI)
    body = json.loads(written.text)
    assert next(iter(body)) == "model"
    assert body["model"] == "gpt-4o"
    assert body["max_completion_tokens"] == 64
    assert body["frequency_penalty"] == 0.1
    assert body["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}
    assert [message["role"] for message in body["messages"]] == ["system", "assistant", "tool", "user"]
    assert body["messages"][0]["content"] == 'Correct "this".\nBe {{ tone }}.'
    told = " ".join(written.losses)
    for words in (
        "Folder",
        "tags",
        "“history” is left out",
        "written out",
        "(sentence, history)",
        "main/gpt-4o",
    ):
        assert words.lower() in told.lower(), words
    assert json.loads(openai_json.write(RECORD, OTHER).text)["max_tokens"] == 64


def test_an_openai_request_comes_back() -> None:
    back = record(openai_json.write(RECORD, OPENAI).text)
    assert back.parameters == {**RECORD.parameters, "model": "gpt-4o"}
    assert back.tools == [TOOL]
    assert back.response_schema == SCHEMA
    assert back.messages[1:] == RECORD.messages[2:]


def test_what_a_request_holds_beside_a_prompt_is_told() -> None:
    found = one(
        {
            "model": "gpt-4o",
            "messages": [
                {
                    "role": "developer",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "x"}}],
                    "refusal": "no",
                },
            ],
            "stream": True,
            "functions": [{"name": "f"}],
            "response_format": {"type": "json_object"},
            "store": False,
        }
    )
    assert found.record is not None
    assert found.record.messages[0] == {"role": "developer", "content": "a\nb"}
    assert found.record.tools == [{"type": "function", "function": {"name": "f"}}]
    assert found.record.parameters["extra"] == {"store": False}
    told = " ".join(found.losses)
    for words in ("2 texts become one", "image_url", "refusal", "“stream”", "functions", "json_object"):
        assert words in told, words


def test_a_bare_list_of_messages_is_a_request_too_as_yaml_as_well() -> None:
    assert record([{"role": "user", "content": "Hi {{ name }}"}]).messages[0]["content"] == "Hi {{ name }}"
    assert record("- role: user\n  content: yes\n").messages == [{"role": "user", "content": "yes"}]


def test_an_unknown_role_makes_the_prompt_bad() -> None:
    assert "Message 1: the role 'robot'" in one({"messages": [{"role": "robot", "content": "x"}]}).problem
    assert "Message 1: give an object" in one({"messages": ["x"]}).problem


@pytest.mark.parametrize(
    "text", ["{{", "{{ a b }} {% x %}", "{#", "{{{", "{%%}", "{{ user name }", "a {% raw %} b {{", "{{{{}}}}"]
)
def test_text_that_is_no_template_stays_the_text_it_is(text: str) -> None:
    made, remark = from_plain(text)
    assert remark
    inputs = {"a_b": "{{ a b }}"}
    assert render_messages([{"role": "user", "content": made}], inputs)[0]["content"] == text
    assert render_messages([{"role": "user", "content": literal(text)}], {})[0]["content"] == text


def test_includes_of_includes_are_written_out_and_cycles_end() -> None:
    resolved = {"a": '1 {% include "b" %}', "b": "2", "c": 'x{% include "c" %}'}
    assert with_includes('{% include "a" %}!', resolved) == "1 2!"
    assert len(with_includes('{% include "c" %}', resolved)) < 100
    assert with_includes('{% include "zzz" %}', resolved) == '{% include "zzz" %}'


def test_what_grows_without_bound_is_left_as_it_is() -> None:
    tags = '{% include "a" %}' * 4000
    assert with_includes(tags, {"a": "x" * 400_000}) == tags
    doubling = dict.fromkeys("ab", '{% include "a" %}' * 100)
    assert with_includes('{% include "b" %}', doubling) == '{% include "b" %}'


@pytest.mark.parametrize(
    "text", ["{{" + " " * 100_000, "{{ a " * 50_000, "{%" * 50_000, "{{" + "}" * 100_000]
)
def test_long_texts_without_an_end_are_read_quickly(text: str) -> None:
    from_plain(text)
    pieces(text)


# --- Langfuse ---


def test_a_langfuse_prompt_has_its_syntax() -> None:
    written = langfuse.write(RECORD)
    body = json.loads(written.text)
    assert body["name"] == "support/replies/Fix grammar"
    assert (body["type"], body["labels"], body["tags"]) == ("chat", ["production"], ["writing"])
    assert body["commitMessage"] == "the first"
    assert body["prompt"][1] == {"type": "placeholder", "name": "history"}
    assert "@@@langfusePrompt:name=tone|label=production@@@" in body["prompt"][0]["content"]
    assert body["prompt"][4]["content"].startswith("{{ sentence }}")
    assert body["config"]["model"] == "main/gpt-4o"
    told = " ".join(written.losses)
    for words in ("its tool calls", "its tool call id", "{% if %}", "“tone”"):
        assert words in told, words


def test_a_langfuse_prompt_comes_back() -> None:
    simple = PromptRecord(
        name="Fix",
        folder="a/b",
        tags=["x"],
        note="n",
        messages=[
            {"role": "system", "content": 'Be {{ tone }}. {% include "rules@3" %} {% include "new" %}'},
            {"role": "placeholder", "name": "history"},
            {"role": "user", "content": "Really? {{ x }}"},
        ],
        parameters={"model": "main/gpt-4o", "max_tokens": 5, "extra": {"frequency_penalty": 1}},
        tools=[TOOL],
        response_schema=SCHEMA,
    )
    back = record(langfuse.write(simple).text)
    assert back.messages[1:] == [simple.messages[1], {"role": "user", "content": "Really? {{ x }}"}]
    assert back.messages[0]["content"] == 'Be {{ tone }}. {% include "rules@3" %} {% include "new" %}'
    assert (back.name, back.folder, back.tags, back.note) == ("Fix", "a/b", ["x"], "n")
    assert (back.parameters, back.tools, back.response_schema) == (simple.parameters, [TOOL], SCHEMA)


def test_a_langfuse_text_prompt_with_foreign_names_is_read() -> None:
    found = one(
        {
            "name": "movie-critic",
            "type": "text",
            "prompt": "As a {{criticLevel}} critic of {{the movie}}: {% do %}",
            "config": {"model": "gpt-4o", "temperature": 0.5, "supported_languages": ["en"]},
            "version": 1,
            "labels": ["production", "latest"],
            "tags": ["movies"],
        }
    )
    assert found.record is not None
    made = found.record.messages[0]["content"]
    inputs = {"criticLevel": "stern", "the_movie": "Dune"}
    rendered = render_messages([{"role": "user", "content": made}], inputs)[0]["content"]
    assert rendered == "As a stern critic of Dune: {% do %}"
    assert found.record.parameters == {"model": "gpt-4o", "temperature": 0.5}
    told = " ".join(found.losses)
    for words in ("(production)", "supported_languages", "plain text"):
        assert words in told, words


def test_several_langfuse_prompts_in_a_list_are_read_one_by_one() -> None:
    prompts = [{"name": "A", "prompt": "x"}, {"name": "B", "prompt": [{"role": "user"}]}, {"no": 1}, 5]
    _, found = read_file(json.dumps(prompts).encode())
    assert [bool(item.record) for item in found] == [True, True, False, False]


# --- promptfoo ---


def test_a_promptfoo_configuration_is_what_its_documentation_says() -> None:
    written = promptfoo.write(RECORD, OTHER)
    document = yaml.safe_load(written.text)
    prompt = document["prompts"][0]
    assert (prompt["id"], prompt["label"]) == ("fix-grammar", "Fix grammar")
    assert json.loads(prompt["raw"])[0]["content"] == 'Correct "this".\nBe {{ tone }}.'
    provider = document["providers"][0]
    assert provider["id"] == "openai:chat:gpt-4o"
    assert provider["config"]["temperature"] == 0.5
    assert provider["config"]["apiBaseUrl"] == "http://127.0.0.1:9/v1"
    assert document["tests"] == [{"vars": {"sentence": "", "history": ""}}]
    told = " ".join(written.losses)
    for words in ("“history”", "Folder and tags", "fill in sentence"):
        assert words in told, words


def test_a_promptfoo_configuration_comes_back() -> None:
    back = record(promptfoo.write(RECORD, OPENAI).text)
    assert back.name == "Fix grammar"
    assert back.messages[1:] == RECORD.messages[2:]
    assert back.parameters == {**RECORD.parameters, "model": "gpt-4o"}
    assert (back.tools, back.response_schema) == ([TOOL], SCHEMA)


PROMPTFOO = """
description: Translate
prompts:
  - 'Translate to {{language}}: {{ input | upper }}'
  - file://prompt.txt
  - label: A chat
    raw: |
      - role: system
        content: Say yes.
      - role: user
        content: "{{ input }}"
    config: {temperature: 1}
  - - role: user
      content: inline {{ input }}
  - 7
providers:
  - openai:gpt-4o:
      config: {temperature: 0.2, apiKey: sk-secret, apiHost: example.org, max_tokens: 9}
  - vertex:gemini
tests:
  - vars: {language: French, input: on}
  - vars: {language: German, input: no}
"""


def test_a_foreign_promptfoo_configuration_keeps_what_it_can() -> None:
    _, found = read_file(PROMPTFOO.encode())
    assert [bool(item.record) for item in found] == [True, False, True, True, False]
    first, chat, inline = (item.record for item in found if item.record)
    assert first.messages == [{"role": "user", "content": "Translate to {{language}}: {{ input | upper }}"}]
    assert (chat.name, chat.messages[0]["content"]) == ("A chat", "Say yes.")
    assert inline.messages[0]["content"] == "inline {{ input }}"
    assert first.parameters == {"model": "gpt-4o", "temperature": 0.2, "max_tokens": 9}
    assert "another file" in found[1].problem
    assert found[1].place == "prompts[1]"
    told = " ".join(found[0].losses)
    for words in ("1 of 2 providers", "“apiKey”", "apiHost", "tests (2)"):
        assert words in told, words
    assert "sk-secret" not in repr(found)


def test_what_nunjucks_does_not_know_is_told() -> None:
    text = "{% for x in y %}{% continue %}{% endfor %}{{ x | tojson }}{{ y | upper }}"
    written = promptfoo.write(PromptRecord(name="A", messages=[{"role": "user", "content": text}]), OPENAI)
    assert any("{% continue %}, |tojson." in loss for loss in written.losses), written.losses


@pytest.mark.parametrize("name", FORMATS)
def test_a_prompt_of_nothing_but_a_text_can_be_written_in_every_format(name: str) -> None:
    bare = PromptRecord(name="A", messages=[{"role": "user", "content": "Hi"}])
    text = FORMATS[name].write(bare, None).text
    assert record(text).messages == bare.messages


@pytest.mark.parametrize("raw", ["7", '"text"', "just words", "{}", "a: b"])
def test_what_is_no_prompt_is_refused(raw: str) -> None:
    with pytest.raises(UnreadableFile, match="formats"):
        read_file(raw.encode())


def test_each_entry_of_a_list_that_is_no_prompt_is_listed() -> None:
    _, found = read_file(b"[1, 2]")
    assert [item.place for item in found if item.problem] == ["document 1", "document 2"]


@pytest.mark.parametrize("odd", [1, True, 1.5, {"a": 1}])
def test_a_content_that_is_no_text_makes_the_prompt_bad(odd: Any) -> None:
    message = {"role": "user", "content": odd}
    for raw in ({"messages": [message]}, {"name": "x", "prompt": [message]}, {"prompts": [[message]]}):
        assert "text" in one(raw).problem


@pytest.mark.parametrize("odd", [1, "x", {"a": 1}])
@pytest.mark.parametrize("name", ["tools", "functions"])
def test_tools_that_are_no_list_make_the_prompt_bad(name: str, odd: Any) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "functions": [{"name": "f"}], name: odd}
    assert "lists" in one(body).problem
