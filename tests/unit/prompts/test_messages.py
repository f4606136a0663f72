"""What versions are made of: what is taken, and how precisely the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.prompts.content import parse_content
from apps.prompts.json_words import json_words
from apps.prompts.labels import clean_label
from apps.prompts.messages import MessageError, parse_messages
from apps.prompts.parameters import parse_parameters, parse_response_schema, parse_tools

CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def places(parse: Any, raw: Any) -> set[str]:
    with pytest.raises(MessageError) as caught:
        parse(raw)
    return set(caught.value.fields)


def test_messages_of_every_role_are_taken() -> None:
    raw = [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b", "name": None},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "", "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
    ]
    parsed = [message.as_dict() for message in parse_messages(raw)]
    assert parsed[0] == raw[0]
    assert parsed[1] == {"role": "developer", "content": "b"}
    assert parsed[2:] == raw[2:]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, {"messages"}),
        ({}, {"messages"}),
        ([], {"messages"}),
        ([{"role": "user", "content": "x"}] * 301, {"messages"}),
        (["x"], {"messages[0]"}),
        ([{}], {"messages[0].role"}),
        ([{"role": "user"}], {"messages[0].content"}),
        ([{"role": "user", "content": None}], {"messages[0].content"}),
        ([{"role": "user", "content": ["x"]}], {"messages[0].content"}),
        ([{"role": "user", "content": "a\x00"}], {"messages[0].content"}),
        ([{"role": "user", "content": "\ud800"}], {"messages[0].content"}),
        ([{"role": "user", "content": "x" * 400_001}], {"messages[0].content"}),
        ([{"role": "user", "content": "x", "text": "y"}], {"messages[0].text"}),
        ([{"role": "user", "content": "x", "name": 5}], {"messages[0].name"}),
        ([{"role": "user", "content": "x", "tool_calls": [CALL]}], {"messages[0].tool_calls"}),
        ([{"role": "user", "content": "x", "tool_call_id": "c"}], {"messages[0].tool_call_id"}),
        ([{"role": "tool", "content": "x"}], {"messages[0].tool_call_id"}),
        (
            [{"role": "assistant", "content": None, "tool_calls": ["x"]}],
            {"messages[0].tool_calls[0]", "messages[0].content"},
        ),
        ([{"role": "placeholder"}], {"messages[0].name"}),
        ([{"role": "placeholder", "name": "not a name"}], {"messages[0].name"}),
        ([{"role": "placeholder", "name": "h", "content": "x"}], {"messages[0].content"}),
        (
            [{"role": "user", "content": 1}, {"role": "x"}, {}],
            {"messages[0].content", "messages[1].role", "messages[2].role"},
        ),
    ],
)
def test_messages_that_cannot_be_name_the_place(raw: Any, expected: set[str]) -> None:
    assert places(parse_messages, raw) == expected


def test_parameters_are_normalised() -> None:
    raw = {
        "model": "openai/gpt-5",
        "temperature": 0,
        "max_tokens": 10.0,
        "stop": "x",
        "seed": None,
        "extra": {},
    }
    assert parse_parameters(raw) == {
        "model": "openai/gpt-5",
        "temperature": 0,
        "max_tokens": 10,
        "stop": ["x"],
    }
    assert parse_parameters(None) == parse_parameters({"model": ""}) == {}


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ([], "parameters"),
        ({"model": "gpt-5"}, "parameters.model"),
        ({"model": 5}, "parameters.model"),
        ({"model": "Upper/x"}, "parameters.model"),
        ({"temperature": 2.01}, "parameters.temperature"),
        ({"temperature": -0.1}, "parameters.temperature"),
        ({"temperature": "1"}, "parameters.temperature"),
        ({"temperature": True}, "parameters.temperature"),
        ({"temperature": float("nan")}, "parameters.temperature"),
        ({"temperature": float("inf")}, "parameters.temperature"),
        ({"top_p": 1.5}, "parameters.top_p"),
        ({"max_tokens": 0}, "parameters.max_tokens"),
        ({"max_tokens": 1.5}, "parameters.max_tokens"),
        ({"max_tokens": 10**400}, "parameters.max_tokens"),
        ({"seed": 2**63}, "parameters.seed"),
        ({"stop": [1]}, "parameters.stop"),
        ({"stop": ["x"] * 17}, "parameters.stop"),
        ({"stop": ["x" * 201]}, "parameters.stop"),
        ({"extra": [1]}, "parameters.extra"),
        ({"extra": {"stream": True}}, "parameters.extra.stream"),
        ({"extra": {"a": float("nan")}}, "parameters.extra"),
        ({"extra": {"a": "\x00"}}, "parameters.extra"),
        ({"frequency_penalty": 1}, "parameters.frequency_penalty"),
    ],
)
def test_parameters_out_of_range_name_the_place(raw: Any, place: str) -> None:
    assert places(parse_parameters, raw) == {place}


def test_tools_and_schemas_are_checked_as_json_schema() -> None:
    assert parse_tools([TOOL]) == [TOOL]
    assert parse_tools(None) == []
    assert parse_response_schema({"type": "object"}) == {"type": "object"}
    assert parse_response_schema(None) is parse_response_schema({}) is None
    assert places(parse_tools, {}) == {"tools"}
    assert places(parse_tools, [{"type": "function"}]) == {"tools[0]"}
    assert places(parse_tools, [TOOL, TOOL]) == {"tools[1].function.name"}
    named_badly = {"type": "function", "function": {"name": "a b"}}
    assert places(parse_tools, [named_badly]) == {"tools[0].function.name"}
    bad_schema = {"type": "function", "function": {"name": "f", "parameters": {"type": "wizard"}}}
    assert places(parse_tools, [bad_schema]) == {"tools[0].function.parameters.type"}
    assert places(parse_response_schema, []) == {"response_schema"}
    assert places(parse_response_schema, {"properties": {"a": {"minimum": "x"}}}) == {
        "response_schema.properties.a.minimum"
    }


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(MessageError) as caught:
        parse_content(
            messages=[{"role": "user", "content": "a\n{{ b"}],
            parameters={"top_p": 3},
            tools=[{}],
            response_schema=5,
        )
    assert set(caught.value.fields) == {
        "messages[0].content",
        "parameters.top_p",
        "tools[0]",
        "response_schema",
    }
    assert caught.value.fields["messages[0].content"][0].startswith("Message 1, line 2: ")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": ""}, {"role": "user", "content": " \n"}],
        [{"role": "user", "content": "", "name": "me"}],
        [{"role": "assistant", "content": ""}],
    ],
)
def test_messages_that_say_nothing_are_no_prompt(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(MessageError) as caught:
        parse_content(messages=messages)
    assert caught.value.fields == {"messages[0].content": ["Write something first."]}


def test_one_message_that_says_something_is_enough() -> None:
    call = {"id": "1", "function": {"name": "look_up", "arguments": "{}"}}
    for message in (
        {"role": "user", "content": "Hello"},
        {"role": "placeholder", "name": "history"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ):
        assert parse_content(messages=[{"role": "system", "content": ""}, message]).messages


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ({"type": "objekt"}, "response_schema.type", 'There is no type "objekt". Use string, number'),
        ({"properties": {"a": {"minimum": "x"}}}, "response_schema.properties.a.minimum", "Give a number"),
        ({"required": "a"}, "response_schema.required", "Give a list in [ ]"),
        ({"required": ["a", "a"]}, "response_schema.required", "once only"),
        ({"properties": {"a": 5}}, "response_schema.properties.a", "Give a schema"),
        ({"pattern": "("}, "response_schema.pattern", "is not a regular expression"),
        ({"minLength": -1}, "response_schema.minLength", "Give 0 or more"),
        ({"anyOf": []}, "response_schema.anyOf", "at least one entry"),
    ],
)
def test_a_schema_that_is_none_is_told_in_plain_words(schema: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_response_schema(schema)
    assert list(caught.value.fields) == [place]
    assert words in caught.value.fields[place][0]
    assert "is not valid under" not in caught.value.fields[place][0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"a": 1\n"b": 2}', 2, "a comma is missing"),
        ('{"a"\n: }', 2, "a value is missing"),
        ("{'a': 1}", 1, "quotation marks"),
        ('{"a": 1,}', 1, "comma"),
        ('["a]', 1, "never closed"),
        ("{} {}", 1, "after the end"),
    ],
)
def test_text_that_is_no_json_is_told_in_plain_words(text: str, line: int, words: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    assert json_words(caught.value).startswith(f"Line {line}: this is not JSON: ")
    assert words in json_words(caught.value)


def test_labels_are_plain_names() -> None:
    assert clean_label(" production ") == "production"
    assert clean_label("v1.2-rc_3") == "v1.2-rc_3"
