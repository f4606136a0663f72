"""Talking to a prompt: turns in order, full windows, tools, summaries, and what becomes an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import Dataset, Example
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_version_create
from apps.prompts.typed import typed_of
from apps.workbench.call_ends import call_ended
from apps.workbench.calls.claims import calls_claim
from apps.workbench.calls.errors import InvalidRun
from apps.workbench.calls.finishing import call_finish
from apps.workbench.calls.outcomes import Outcome
from apps.workbench.calls.stream import Page, events_since
from apps.workbench.conversations import turns
from apps.workbench.conversations.errors import ContextFull, ConversationMoved, InvalidTurn
from apps.workbench.conversations.presenting import conversation_as_json
from apps.workbench.conversations.saving import conversation_save
from apps.workbench.conversations.services import (
    conversation_change,
    conversation_create,
    conversations_of,
)
from apps.workbench.conversations.turns import Asked, Said, turn_add, turns_cut, turns_of, turns_sweep
from apps.workbench.models import Call, Conversation, Turn
from tests.factories.core import make_member
from tests.factories.driven_runs import BY

pytestmark = pytest.mark.django_db
TOOL = {"id": "c1", "name": "look", "arguments": "{}"}
SYSTEM = "You are {{ manner }}."


@pytest.fixture
def by(project: Project) -> Actor:
    user = make_member(project, Role.EDITOR)
    return Actor(kind="user", id=str(user.pk), label=user.email, role=Role.EDITOR)


class Talk:
    """One conversation, as its page and the workers would go on with it. A word is a token."""

    def __init__(self, by: Actor, version: PromptVersion, **settings: Any) -> None:
        self.by, self.version = by, version
        self.values = {"manner": "kind"}
        prompt = version.prompt
        self.conversation = conversation_create(
            project=prompt.project, prompt=prompt, by=by, settings=settings
        )

    def asked(self) -> Asked:
        column = {"id": "a", "base": self.version.number, "typed": typed_of(self.version)}
        return Asked(column, self.values, str(uuid4()))

    def say(self, text: str = "", **more: Any) -> Call | None:
        revision = more.pop("revision", None)
        self.conversation.refresh_from_db()
        turn_add(
            conversation=self.conversation,
            by=self.by,
            revision=self.conversation.revision if revision is None else revision,
            said=Said(text, **more),
            asked=self.asked(),
        )
        self.conversation.refresh_from_db()
        return self.turns[-1].call

    def hear(self, text: str = "", **more: Any) -> Call:
        """The newest call of the talk is answered."""
        call = Call.objects.order_by("-pk")[0]
        [claimed] = calls_claim([call.pk])
        words = sum(len(str(message["content"] or "").split()) for message in call.messages)
        tokens = {"input_tokens": words, "output_tokens": len(text.split())}
        outcome = Outcome(**{"status": Call.Status.COMPLETED, "output": text, **tokens, **more})
        call_finish(call_id=call.pk, lease=claimed.lease, outcome=outcome)
        call_ended(call.pk)
        self.conversation.refresh_from_db()
        call.refresh_from_db()
        return call

    @property
    def turns(self) -> list[Turn]:
        return turns_of(self.conversation)

    def shown(self) -> dict[str, Any]:
        return conversation_as_json(self.conversation)


@pytest.fixture
def version(prompt: PromptVersion) -> PromptVersion:
    return prompt_version_create(
        prompt=prompt.prompt,
        by=BY,
        messages=[{"role": "system", "content": SYSTEM}],
        parameters={"model": "fake/echo"},
    )


@pytest.fixture
def talk(by: Actor, version: PromptVersion) -> Callable[..., Talk]:
    return lambda **settings: Talk(by, version, **settings)


def sent(call: Call | None) -> list[tuple[str, str]]:
    assert call is not None
    return [(message["role"], message["content"]) for message in call.messages]


def test_each_turn_is_sent_with_the_prompt_and_all_that_was_said(talk: Callable[..., Talk]) -> None:
    one = talk()
    first = one.say("Hello")
    assert sent(first) == [("system", "You are kind."), ("user", "Hello")]
    one.hear("Good day")
    second = one.say("How are you?")
    assert sent(second)[2:] == [("assistant", "Good day"), ("user", "How are you?")]
    assert second is not None
    assert (second.purpose, second.prompt_version) == ("turn", one.version)
    assert [turn.position for turn in one.turns] == [0, 1, 2, 3]
    assert one.conversation.title == "Hello"
    [(listed, count)] = conversations_of(prompt=one.version.prompt)
    assert (listed, count) == (one.conversation, 4)


def test_two_tabs_cannot_double_a_turn(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    with pytest.raises(ConversationMoved):
        one.say("Hello", revision=0)
    assert len(one.turns) == 2
    assert Call.objects.count() == 1


def test_a_turn_waits_for_the_answer_to_the_one_before(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    with pytest.raises(InvalidTurn, match="still coming"):
        one.say("Are you there?")


def test_a_turn_says_something(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    one.hear("Good day")
    with pytest.raises(InvalidTurn, match="Write something"):
        one.say("   ")


def test_the_prompt_itself_can_be_answered_first(talk: Callable[..., Talk]) -> None:
    one = talk()
    assert sent(one.say()) == [("system", "You are kind.")]
    assert [turn.role for turn in one.turns] == ["assistant"]


def test_what_cannot_be_rendered_is_not_kept(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.values = {}
    with pytest.raises(InvalidRun) as refused:
        one.say("Hello")
    assert "values.manner" in refused.value.fields
    assert one.turns == []


def test_an_edited_turn_takes_the_place_of_what_followed(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    one.hear("Good day")
    one.say("Bye")
    one.hear("See you")
    call = one.say("Goodbye", cut=2)
    assert sent(call)[1:] == [("user", "Hello"), ("assistant", "Good day"), ("user", "Goodbye")]
    assert [turn.content for turn in one.turns if turn.role == "user"] == ["Hello", "Goodbye"]


def test_another_answer_can_be_had(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    one.hear("Good day")
    assert sent(one.say(cut=1))[1:] == [("user", "Hello")]
    assert len(one.turns) == 2


def test_an_answer_that_failed_gives_its_place_to_the_next_try(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    one.hear(status=Call.Status.FAILED, error="Broken.", error_kind="overloaded")
    assert sent(one.say())[1:] == [("user", "Hello")]
    assert [turn.role for turn in one.turns] == ["user", "assistant"]


def test_turns_are_taken_back(talk: Callable[..., Talk], django_capture_on_commit_callbacks: Any) -> None:
    one = talk()
    one.say("Hello")
    with django_capture_on_commit_callbacks(execute=True):
        turns_cut(conversation=one.conversation, revision=1, position=0)
    assert one.turns == []
    assert Call.objects.get().status == "cancelled"


def test_tools_are_answered_by_hand_before_the_talk_goes_on(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Look")
    one.hear(tool_calls=[TOOL])
    assert one.shown()["open_tool_calls"] == ["c1"]
    with pytest.raises(InvalidTurn, match="Answer each"):
        one.say("Never mind")
    call = one.say(tool_answers={"c1": "A tree"})
    assert call is not None
    asked, answered = call.messages[-2:]
    assert asked["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert answered == {"role": "tool", "content": "A tree", "tool_call_id": "c1"}


def test_a_full_window_is_refused_before_anything_is_sent(talk: Callable[..., Talk]) -> None:
    one = talk(policy="refuse", window=20)
    one.say("Hello")
    one.hear("word " * 10)
    with pytest.raises(ContextFull) as refused:
        one.say("word " * 20)
    assert refused.value.extra["window"] == 20
    assert len(one.turns) == 2
    assert Call.objects.count() == 1


def test_the_oldest_turns_are_left_out_and_the_page_is_told(talk: Callable[..., Talk]) -> None:
    one = talk(policy="drop_oldest", window=60)
    for number in range(3):
        one.say(f"question {number} " + "word " * 10)
        one.hear("answer " * 10)
    call = one.say("Last question")
    contents = [content for _, content in sent(call)]
    assert contents[0] == "You are kind."
    assert not any("question 0" in content for content in contents)
    shown = one.shown()
    assert shown["sent_from"] == shown["turns"][-1]["left_out"] > 0


def test_the_window_fills_by_what_the_provider_counted(talk: Callable[..., Talk]) -> None:
    one = talk(window=100)
    one.say("Hello")
    one.hear("Good day to you")
    usage = one.shown()["usage"]
    assert usage["reported"] == 4 + 4  # "You are kind." and "Hello", and the answer
    assert (usage["window"], usage["estimated"]) == (100, 0)
    one.say("How are you?")
    assert one.shown()["usage"]["estimated"] > 0


def test_older_turns_are_summarised_by_a_call_of_its_own(talk: Callable[..., Talk]) -> None:
    one = talk(policy="summarise", window=70, summary_model="fake/upper")
    for number in range(2):
        one.say(f"question {number} " + "word " * 12)
        one.hear("answer " * 12)
    assert one.say("And now? " + "word " * 12) is None
    waiting = one.shown()["turns"][-1]
    assert waiting["summary_call"]["model_name"] == "fake/upper"
    asked = Call.objects.order_by("-pk")[0]
    assert "question 0" in asked.messages[1]["content"]
    one.hear("They talked.")
    last = one.turns[-1].call
    assert "They talked." in sent(last)[1][1]
    assert not any("question 0" in content for _, content in sent(last))
    shown = one.shown()
    assert shown["summary"] == "They talked."
    assert shown["summary_call"]["output_tokens"] == 2
    assert shown["summary_until"] == shown["sent_from"] > 0
    call_ended(asked.pk)  # told twice
    assert Call.objects.filter(pk=asked.pk).count() == 1
    assert len(one.turns) == 6


def test_a_summary_that_fails_says_so_and_can_be_tried_again(talk: Callable[..., Talk]) -> None:
    one = talk(policy="summarise", window=60)
    for _ in range(2):
        one.say("word " * 12)
        one.hear("answer " * 12)
    one.say("And now? " + "word " * 8)
    one.hear(status=Call.Status.FAILED, error="The provider failed.")
    assert "could not be summarised: The provider failed." in one.shown()["turns"][-1]["error"]
    conversation_change(conversation=one.conversation, settings={"policy": "drop_oldest"})
    assert one.say() is not None


def test_an_answer_that_waits_for_a_summary_that_is_there_is_found(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = talk(policy="summarise", window=55)
    for _ in range(2):
        one.say("word " * 12)
        one.hear("answer " * 12)
    one.say("And now? " + "word " * 12)
    with monkeypatch.context() as lost:
        lost.setattr("apps.workbench.call_ends.turn_ended", lambda call: None)
        one.hear("They talked.")
    assert one.turns[-1].call is None
    turns_sweep()  # it may still come
    assert one.turns[-1].call is None
    Call.objects.update(finished_at=timezone.now() - turns.LOST_AFTER * 2)
    turns_sweep()
    assert one.turns[-1].call is not None


def test_the_providers_own_refusal_offers_what_it_told(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    words = "This model's maximum context length is 4096 tokens."
    one.hear(status=Call.Status.FAILED, error_kind="context_length", error=words)
    turn = one.shown()["turns"][-1]
    assert (turn["too_long"], turn["told_window"]) == (True, 4096)


def test_the_talk_takes_the_place_of_the_placeholder(by: Actor, version: PromptVersion) -> None:
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "placeholder", "name": "history"},
        {"role": "system", "content": "Be short."},
    ]
    placed = prompt_version_create(
        prompt=version.prompt, by=BY, messages=messages, parameters={"model": "fake/echo"}
    )
    one = Talk(by, placed)
    assert sent(one.say("Hello")) == [
        ("system", "You are kind."),
        ("user", "Hello"),
        ("system", "Be short."),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "shout"},
        {"window": 0},
        {"window": "big"},
        {"keep_last": None},
        {"summary_model": "x" * 300},
        {"title": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(talk: Callable[..., Talk], wrong: dict[str, Any]) -> None:
    one = talk()
    with pytest.raises(InvalidTurn):
        conversation_change(conversation=one.conversation, settings=wrong)


def test_a_conversation_becomes_an_example(talk: Callable[..., Talk], by: Actor) -> None:
    one = talk()
    with pytest.raises(InvalidTurn, match="no answer yet"):
        conversation_save(
            conversation=one.conversation, by=by, dataset="", new_dataset="Talks", reference=None
        )
    one.say("Hello")
    one.hear("Good day")
    saved = conversation_save(
        conversation=one.conversation, by=by, dataset="", new_dataset="Talks", reference="Good evening"
    )
    assert saved.version == 1
    example = Example.objects.get(pk=saved.example.pk)
    assert example.inputs == {"manner": "kind", "history": [{"role": "user", "content": "Hello"}]}
    assert example.reference == "Good evening"
    assert example.metadata["prompt_version"] == one.version.number
    assert example.metadata["model"] == "fake/echo"
    one.say("Bye")
    one.hear("See you")
    again = conversation_save(
        conversation=one.conversation, by=by, dataset="talks", new_dataset="", reference=None
    )
    assert again.version == 2
    assert again.example.reference == "See you"
    assert len(again.example.inputs["history"]) == 3
    assert Dataset.objects.filter(slug="talks").count() == 1
    same = conversation_save(
        conversation=one.conversation, by=by, dataset="talks", new_dataset="", reference=None
    )
    assert same.version is None


def test_another_projects_conversation_is_not_there(talk: Callable[..., Talk], client: Any) -> None:
    one = talk()
    assert Conversation.objects.filter(pk=one.conversation.pk).exists()
    response = client.get(f"/p/elsewhere/prompts/-/conversations/{one.conversation.pk}/")
    assert response.status_code in (302, 404)


def waiting_for_summary(talk: Callable[..., Talk]) -> Talk:
    one = talk(policy="summarise", window=55)
    for _ in range(2):
        one.say("word " * 12)
        one.hear("answer " * 12)
    assert one.say("And now? " + "word " * 12) is None
    return one


def test_what_is_swept_is_not_hidden_behind_calls_that_nobody_waits_for(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = waiting_for_summary(talk)
    with monkeypatch.context() as lost:
        lost.setattr("apps.workbench.call_ends.turn_ended", lambda call: None)
        one.hear("They talked.")
    assert Call.objects.count() > 2
    Call.objects.update(finished_at=timezone.now() - turns.LOST_AFTER * 2)
    monkeypatch.setattr(turns, "_SWEPT_AT_ONCE", 1)
    turns_sweep()
    assert one.turns[-1].call is not None


def test_nothing_is_added_while_an_answer_waits_for_its_summary(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = waiting_for_summary(talk)
    with monkeypatch.context() as late:
        late.setattr("apps.workbench.call_ends.turn_ended", lambda call: None)
        summary = one.hear("They talked.")
    with pytest.raises(InvalidTurn, match="still coming"):
        one.say("Another")
    call_ended(summary.pk)
    assert one.turns[-1].call is not None


def test_what_was_sent_with_each_answer_is_not_read_to_show_a_talk(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.say("Hello")
    one.hear("Hi")
    call = one.turns[-1].call
    assert call is not None
    assert {"content", "messages", "inputs"} <= call.get_deferred_fields()


def test_an_answer_is_not_stopped_by_a_turn_that_is_refused(
    talk: Callable[..., Talk], django_capture_on_commit_callbacks: Any
) -> None:
    one = talk(window=20)
    call = one.say("Hello")
    assert call is not None
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ContextFull):
        one.say("word " * 40, cut=0)
    call.refresh_from_db()
    assert call.status == "pending"
    assert events_since(Page.of_call(call)) == []
    with django_capture_on_commit_callbacks(execute=True):
        one.say("Hi", cut=0)
    call.refresh_from_db()
    assert call.status == "cancelled"
