"""What of a conversation is sent: every policy at its edges."""

from __future__ import annotations

import pytest

from apps.workbench.conversations.counting import Counter, counter_from
from apps.workbench.conversations.fitting import (
    Fitted,
    Policy,
    Rules,
    SummaryNeeded,
    Talk,
    WindowFull,
    exchanges,
    fit,
)


class Words(Counter):
    """Counts words, so that a test can say how long a message is."""

    def of(self, message) -> int:
        calls = message.get("tool_calls") or []
        return len(str(message.get("content") or "").split()) + 2 * len(calls)


def said(role: str, words: int, **more):
    return {"role": role, "content": " ".join(["word"] * words), **more}


SYSTEM, SHOT = said("system", 5), said("user", 3)
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def talk(*messages, head=(SYSTEM,), **more) -> Talk:
    return Talk(head=list(head), said=list(messages), **more)


def rules(window: int | None, policy: Policy = Policy.REFUSE, **more) -> Rules:
    return Rules(window=window, policy=policy, counter=Words(), **more)


def four_exchanges():
    """Four questions of 10 words with answers of 10 words."""
    return [said(role, 10) for _ in range(4) for role in ("user", "assistant")][:-1]


def sent(fitted) -> list[dict]:
    assert isinstance(fitted, Fitted)
    return fitted.messages


@pytest.mark.parametrize("policy", list(Policy))
def test_what_fits_is_sent_whole_whatever_the_policy(policy):
    whole = four_exchanges()
    fitted = fit(talk(*whole), rules(75, policy))
    assert sent(fitted) == [SYSTEM, *whole]
    assert (fitted.tokens, fitted.left_out) == (75, 0)


def test_nothing_is_left_out_of_a_window_that_nobody_knows():
    fitted = fit(talk(*four_exchanges()), rules(None, Policy.DROP_OLDEST))
    assert fitted.left_out == 0


def test_a_full_window_is_refused_before_anything_is_sent_and_says_by_how_much():
    with pytest.raises(WindowFull) as refused:
        fit(talk(*four_exchanges()), rules(74))
    assert (refused.value.needed, refused.value.window) == (75, 74)
    assert "about 75 of 74 tokens" in str(refused.value)


def test_what_the_answer_may_take_counts_as_taken():
    assert fit(talk(*four_exchanges()), rules(85, reserve=10)).left_out == 0
    with pytest.raises(WindowFull, match="10 are kept for the answer"):
        fit(talk(*four_exchanges()), rules(84, reserve=10))


def test_the_oldest_exchanges_go_until_the_rest_fits():
    whole = four_exchanges()
    fitted = fit(talk(*whole), rules(74, Policy.DROP_OLDEST))
    assert (sent(fitted), fitted.left_out) == ([SYSTEM, *whole[2:]], 2)
    fitted = fit(talk(*whole), rules(54, Policy.DROP_OLDEST))
    assert (sent(fitted), fitted.left_out) == ([SYSTEM, *whole[4:]], 4)


def test_a_message_that_alone_is_too_long_is_refused_by_every_policy():
    whole = [*four_exchanges()[:2], said("user", 100)]
    for policy in Policy:
        with pytest.raises(WindowFull, match="takes about 105 of 50 tokens") as refused:
            fit(talk(*whole), rules(50, policy))
        assert refused.value.window == 50


def test_the_very_first_message_that_is_too_long_is_refused():
    for policy in Policy:
        with pytest.raises(WindowFull):
            fit(talk(said("user", 100)), rules(50, policy))


def test_a_prompt_that_alone_is_too_long_is_refused():
    with pytest.raises(WindowFull, match="the prompt"):
        fit(talk(said("user", 1), head=[said("system", 60)]), rules(50, Policy.DROP_OLDEST))


def test_a_tools_answer_is_never_parted_from_its_call():
    with_tools = [
        said("user", 10),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        said("tool", 10, tool_call_id="c1"),
        said("assistant", 10),
        said("user", 10),
    ]
    for window in range(15, 48):
        messages = sent(fit(talk(*with_tools), rules(window, Policy.DROP_OLDEST)))
        calls = any(message.get("tool_calls") for message in messages)
        answers = any(message["role"] == "tool" for message in messages)
        assert calls == answers
        assert messages[1]["role"] == "user"


def test_the_calls_of_the_exchange_that_is_being_answered_stay():
    running = [
        *four_exchanges()[:2],
        said("user", 10),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        said("tool", 10, tool_call_id="c1"),
    ]
    fitted = fit(talk(*running), rules(30, Policy.DROP_OLDEST))
    assert sent(fitted) == [SYSTEM, *running[2:]]


def test_exchanges_begin_at_questions():
    roles = ["assistant", "user", "assistant", "tool", "user", "user", "assistant"]
    assert exchanges([said(role, 1) for role in roles]) == [0, 1, 4, 5]
    assert exchanges([]) == []
    assert exchanges([said("user", 1)]) == [0]


def test_system_messages_and_the_last_questions_are_kept():
    whole = four_exchanges()
    fitted = fit(talk(*whole, head=[SYSTEM, SHOT]), rules(70, Policy.KEEP_LAST, keep_last=2))
    assert (sent(fitted), fitted.left_out) == ([SYSTEM, *whole[4:]], 4)


def test_too_many_kept_questions_are_refused_with_what_to_do():
    with pytest.raises(WindowFull, match="Keep fewer"):
        fit(talk(*four_exchanges()), rules(50, Policy.KEEP_LAST, keep_last=3))


def test_more_kept_questions_than_there_are_is_no_error():
    with pytest.raises(WindowFull):
        fit(talk(*four_exchanges()), rules(50, Policy.KEEP_LAST, keep_last=30))


def test_older_turns_are_to_be_summarised_and_the_newest_stay():
    whole = four_exchanges()
    needed = fit(talk(*whole), rules(70, Policy.SUMMARISE))
    assert isinstance(needed, SummaryNeeded)
    assert (needed.until, needed.messages) == (4, whole[:4])


def test_a_summary_stands_in_place_of_what_it_is_of():
    whole = four_exchanges()
    fitted = fit(talk(*whole, summary="in short", summarised=4), rules(70, Policy.SUMMARISE))
    messages = sent(fitted)
    assert messages[0] == SYSTEM
    assert "in short" in messages[1]["content"]
    assert messages[2:] == whole[4:]
    assert fitted.left_out == 4


def test_a_second_summary_covers_only_what_the_first_does_not():
    whole = [
        *four_exchanges(),
        said("assistant", 10),
        said("user", 10),
        said("assistant", 10),
        said("user", 10),
    ]
    needed = fit(talk(*whole, summary="short", summarised=4), rules(70, Policy.SUMMARISE))
    assert isinstance(needed, SummaryNeeded)
    assert needed.until > 4
    assert needed.messages == whole[4 : needed.until]


def test_another_policy_does_not_send_the_summary():
    whole = four_exchanges()
    fitted = fit(talk(*whole, summary="short", summarised=4), rules(200, Policy.REFUSE))
    assert sent(fitted) == [SYSTEM, *whole]


def test_a_summary_that_fills_the_window_again_is_refused():
    whole = four_exchanges()
    long = " ".join(["word"] * 80)
    with pytest.raises(WindowFull):
        fit(talk(*whole, summary=long, summarised=6), rules(70, Policy.SUMMARISE))


def test_what_follows_the_talk_is_always_sent():
    tail = said("system", 5)
    whole = four_exchanges()
    fitted = fit(talk(*whole, tail=[tail]), rules(60, Policy.DROP_OLDEST))
    assert sent(fitted)[-1] == tail
    assert fitted.tokens <= 60


def test_estimates_follow_what_the_provider_counted():
    messages = [said("user", 30), said("assistant", 30)]
    counter = counter_from(messages, 60)
    assert abs(counter.of_all(messages) - 60) <= 2
    assert counter_from(messages, None).scale == 1
    assert counter_from([], 60).scale == 1
    assert counter_from(messages, 10**9).scale == 4


def test_scripts_without_spaces_take_more_tokens_a_character():
    counter = Counter()
    assert counter.of({"role": "user", "content": "漢" * 40}) > 3 * counter.of(
        {"role": "user", "content": "a" * 40}
    )
