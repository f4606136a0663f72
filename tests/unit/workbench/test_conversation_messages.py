"""Turns as messages, the prompt around them, and what a provider's refusal tells."""

from __future__ import annotations

import pytest

from apps.workbench.conversations.messages import around_history, open_tool_calls, said_in, tool_call_message
from apps.workbench.conversations.presenting import told_window
from apps.workbench.conversations.summarising import summary_content
from apps.workbench.models import Call, Turn

FLAT = {"id": "c1", "name": "look", "arguments": '{"at": 1}'}


def answer(position: int, status="completed", output="", calls=()) -> Turn:
    call = Call(status=status, output=output, tool_calls=list(calls))
    return Turn(position=position, role="assistant", call=call)


def test_answers_that_failed_were_never_said():
    turns = [
        Turn(position=0, role="user", content="Hello"),
        answer(1, "failed"),
        Turn(position=2, role="user", content="Again"),
        answer(3, "cancelled", "Half an"),
        answer(4, "cancelled"),
        Turn(position=5, role="assistant", error="No summary."),
    ]
    assert [(each.position, each.message["content"]) for each in said_in(turns)] == [
        (0, "Hello"),
        (2, "Again"),
        (3, "Half an"),
    ]


def test_tool_calls_travel_as_the_protocol_writes_them():
    wanted = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    assert tool_call_message(FLAT) == wanted
    assert tool_call_message(wanted) == wanted
    [said] = said_in([answer(0, calls=[FLAT])])
    assert said.message == {"role": "assistant", "content": None, "tool_calls": [wanted]}


def test_calls_are_open_until_each_is_answered():
    calls = [FLAT, {**FLAT, "id": "c2"}]
    turns = [answer(0, calls=calls)]
    assert open_tool_calls(turns) == ["c1", "c2"]
    turns.append(Turn(position=1, role="tool", tool_call_id="c1"))
    assert open_tool_calls(turns) == ["c2"]
    turns.append(Turn(position=2, role="tool", tool_call_id="c2"))
    assert open_tool_calls(turns) == []
    assert open_tool_calls([answer(0, "cancelled", calls=calls)]) == []


def test_the_talk_takes_the_place_of_the_placeholder():
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ question }}"},
        {"role": "system", "content": "Be short."},
    ]
    before, after = around_history(messages)
    assert [message["content"] for message in before] == ["Be kind."]
    assert [message["content"] for message in after] == ["Be short."]
    assert around_history(messages[:1]) == (messages[:1], [])


@pytest.mark.parametrize(
    ("error", "window"),
    [
        ("This model's maximum context length is 4096 tokens.", 4096),
        ("prompt is too long: 210000 tokens > 200000 maximum", None),
        ("maximum context length is 128,000 tokens. However, you requested 130000", 128000),
        ("It failed (400).", None),
    ],
)
def test_a_provider_that_names_its_window_is_believed(error: str, window: int | None):
    assert told_window(error) == window


def test_a_summary_is_asked_of_the_turns_as_data():
    content = summary_content(
        model_name="loop/small",
        messages=[{"role": "user", "content": "{{ not_a_variable }}"}],
        before="Ada asked.",
        window=None,
    )
    assert "{{ not_a_variable }}" in content.messages[1]["content"]
    assert "Ada asked." in content.messages[1]["content"]
    assert content.parameters["max_tokens"] == 600
