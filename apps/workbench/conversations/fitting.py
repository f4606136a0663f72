"""What of a conversation is sent when it may no longer fit the context window. Plain Python.

A talk is cut at exchanges only: a question with all that followed until the next one. So a tool's answer is
never parted from the call it answers, and what is sent never begins with an answer to nothing. The newest
exchange, which is being asked, is always sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .counting import Counter, Message

SYSTEM_ROLES = ("system", "developer")
#: Of what is free for the talk, so much is left to the newest exchanges when the older ones are summarised.
KEPT_SHARE = 0.5


class Policy(StrEnum):
    """What happens when the window is full."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop_oldest"
    KEEP_LAST = "keep_last"
    SUMMARISE = "summarise"


class WindowFull(Exception):
    """What has to be sent does not fit. The text says by how much, and what to do.

    `needed` (an estimate) and `window` are in tokens.
    """

    def __init__(self, text: str, *, needed: int, window: int) -> None:
        super().__init__(text)
        self.needed, self.window = needed, window


@dataclass(frozen=True, slots=True)
class Talk:
    """Everything that could be sent: the prompt's rendered messages before and after the talk, and the talk.

    `summary` stands in place of the first `summarised` messages of the talk; "" for none.
    """

    head: Sequence[Message]
    said: Sequence[Message]
    tail: Sequence[Message] = ()
    summary: str = ""
    summarised: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """`window` None: not known, so nothing is ever left out. `reserve`: tokens that the answer may take."""

    window: int | None
    policy: Policy = Policy.REFUSE
    reserve: int = 0
    keep_last: int = 4
    counter: Counter = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What to send, about how many tokens it takes, and how many messages of the talk are not among it
    (those that a summary stands for included).
    """

    messages: list[Message]
    tokens: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class SummaryNeeded:
    """The first `until` messages of the talk are to be summarised.

    `messages` are those that no summary covers yet.
    """

    until: int
    messages: list[Message]


def fit(talk: Talk, rules: Rules) -> Fitted | SummaryNeeded:
    """Choose what is sent. Raises WindowFull."""
    whole = _fitted(talk, rules, start=talk.summarised if _summarises(talk, rules) else 0)
    if rules.window is None or whole.tokens + rules.reserve <= rules.window:
        return whole
    match rules.policy:
        case Policy.REFUSE:
            raise _refused(talk, whole, rules)
        case Policy.DROP_OLDEST:
            return _drop_oldest(talk, rules)
        case Policy.KEEP_LAST:
            return _keep_last(talk, rules)
        case Policy.SUMMARISE:
            return _summarise(talk, rules)


def exchanges(said: Sequence[Message]) -> list[int]:
    """Where each exchange begins: at a question. What precedes the first one is an exchange of its own."""
    starts = [place for place, message in enumerate(said) if message["role"] == "user"]
    return starts if starts[:1] == [0] or not said else [0, *starts]


def summary_message(summary: str) -> Message:
    return {"role": "system", "content": f"What was said before, in short:\n{summary}"}


def _summarises(talk: Talk, rules: Rules) -> bool:
    return bool(rules.policy is Policy.SUMMARISE and talk.summary)


def _fitted(talk: Talk, rules: Rules, *, start: int, head: Sequence[Message] | None = None) -> Fitted:
    """What is sent when the talk begins at its message `start`."""
    before = list(talk.head if head is None else head)
    if _summarises(talk, rules):
        before.append(summary_message(talk.summary))
    messages = [*before, *talk.said[start:], *talk.tail]
    return Fitted(messages, rules.counter.of_all(messages), left_out=start)


def _fits(fitted: Fitted, rules: Rules) -> bool:
    return rules.window is None or fitted.tokens + rules.reserve <= rules.window


def _refused(talk: Talk, whole: Fitted, rules: Rules) -> WindowFull:
    """Whether leaving something out could help is worth knowing."""
    last = _fitted(talk, rules, start=(exchanges(talk.said) or [0])[-1])
    if not _fits(last, rules):
        return _alone(last, rules)
    return _full(whole.tokens, rules, "Choose what is left out when the window is full, or begin anew.")


def _drop_oldest(talk: Talk, rules: Rules) -> Fitted:
    fitted = _fitted(talk, rules, start=0)
    for start in exchanges(talk.said):
        fitted = _fitted(talk, rules, start=start)
        if _fits(fitted, rules):
            return fitted
    raise _alone(fitted, rules)


def _keep_last(talk: Talk, rules: Rules) -> Fitted:
    starts = exchanges(talk.said)
    kept = starts[-max(1, rules.keep_last) :]
    systems = [message for message in talk.head if message["role"] in SYSTEM_ROLES]
    fitted = _fitted(talk, rules, start=kept[0] if kept else 0, head=systems)
    if _fits(fitted, rules):
        return fitted
    alone = _fitted(talk, rules, start=kept[-1] if kept else 0, head=systems)
    if len(kept) <= 1 or not _fits(alone, rules):
        raise _alone(alone, rules)
    text = f"The last {len(kept)} questions with their answers do not fit. Keep fewer of them."
    raise _full(fitted.tokens, rules, text)


def _summarise(talk: Talk, rules: Rules) -> SummaryNeeded:
    """Everything is summarised but for the newest exchanges, which get half of what is free."""
    assert rules.window is not None
    fixed = rules.counter.of_all([*talk.head, *talk.tail])
    room = (rules.window - rules.reserve - fixed) * KEPT_SHARE
    starts = exchanges(talk.said)
    last = starts[-1] if starts else 0
    until = next((start for start in starts if rules.counter.of_all(talk.said[start:]) <= room), last)
    least = fixed + rules.counter.of_all(talk.said[last:])
    if until <= talk.summarised or least + rules.reserve > rules.window:
        raise _alone(_fitted(talk, rules, start=last), rules)
    return SummaryNeeded(until, list(talk.said[talk.summarised : until]))


def _alone(fitted: Fitted, rules: Rules) -> WindowFull:
    text = "Even without the earlier turns it does not fit: shorten the message or the prompt"
    return _full(fitted.tokens, rules, f"{text}{', or lower max_tokens' if rules.reserve else ''}.")


def _full(tokens: int, rules: Rules, advice: str) -> WindowFull:
    assert rules.window is not None
    kept = f", and {rules.reserve:,} are kept for the answer (max_tokens)" if rules.reserve else ""
    text = (
        f"The context window is full: this takes about {tokens:,} of {rules.window:,} tokens{kept}. {advice}"
    )
    return WindowFull(text, needed=tokens + rules.reserve, window=rules.window)
