"""Where the earlier messages of a talk stand among those of a prompt."""

from __future__ import annotations

from apps.feedback.completing.history import placeholder_of, with_history

SYSTEM = {"role": "system", "content": "Be kind."}
QUESTION = {"role": "user", "content": "And now?"}
TALK = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]


def test_the_placeholder_called_history_goes_before_others() -> None:
    other, history = ({"role": "placeholder", "name": name} for name in ("examples", "history"))
    assert placeholder_of([SYSTEM, QUESTION]) == ""
    assert placeholder_of([other, QUESTION]) == "examples"
    assert placeholder_of([other, history]) == "history"


def test_a_talk_that_was_answered_stands_before_the_new_question() -> None:
    assert with_history([SYSTEM, QUESTION], TALK) == [SYSTEM, *TALK, QUESTION]
    assert with_history([SYSTEM], TALK) == [SYSTEM, *TALK]


def test_a_talk_that_ends_with_its_question_follows_the_prompt() -> None:
    assert with_history([SYSTEM, QUESTION], TALK[:1]) == [SYSTEM, QUESTION, TALK[0]]
