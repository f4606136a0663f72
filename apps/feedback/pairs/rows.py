"""One row of a file as a pair: a conversation, two answers to it, and who chose which."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.feedback.pairs.mapping import PairMapping
from apps.feedback.queues.form import BAD, FIRST, SECOND, TIE

LONGEST_ANSWER = 400_000
MOST_MESSAGES = 400
LONGEST_NAME = 200
#: The rater of a file that says which answer was chosen, and not by whom.
CHOSEN_BY = "chosen"
_TURN = re.compile(r"\n\n(Human|Assistant): ?")
_ROLES = {"human": "user", "user": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_VOTES = {
    **dict.fromkeys(("first", "1", "1.0", "a", "model_a", "response1", "left", "chosen"), FIRST),
    **dict.fromkeys(("second", "2", "2.0", "b", "model_b", "response2", "right"), SECOND),
    **dict.fromkeys(("tie", "0", "0.0", "0.5", "t", "equal", "same", "draw", "both"), TIE),
    **dict.fromkeys(("bad", "both bad", "both_bad", "bothbad", "tie (bothbad)", "neither"), BAD),
}


class BadPair(Exception):
    """The row is no pair; the message says why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`content` as `QueueItem.content`; `votes` by the name of the rater."""

    content: dict[str, Any]
    votes: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """The same conversation with the same two answers is the same pair, whoever voted."""
        kept = json.dumps(self.content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(kept.encode()).hexdigest()


def read_pair(values: Mapping[str, Any], mapping: PairMapping) -> Pair:
    """Raises BadPair."""
    messages, inputs = _prompt(values, mapping)
    before, first = _answer(values.get(mapping.first), mapping.first)
    other, second = _answer(values.get(mapping.second), mapping.second)
    if before != other:
        raise BadPair(f"{mapping.first} and {mapping.second} are answers to two different conversations.")
    messages = [*([] if before and _repeats(before, messages) else messages), *before]
    if not messages and not (first or second):
        raise BadPair("The row has neither a prompt nor an answer.")
    names = _names(values, mapping)
    answers = [
        {"text": text, **({"name": name, "model": name} if name else {})}
        for text, name in zip((first, second), names, strict=True)
    ]
    content: dict[str, Any] = {"messages": messages, "answers": answers}
    if len(inputs) > 1:
        content["inputs"] = inputs
    return Pair(content, _votes(values, mapping))


def _prompt(values: Mapping[str, Any], mapping: PairMapping) -> tuple[list[dict[str, str]], dict[str, str]]:
    if len(mapping.prompt) == 1:
        value = values.get(mapping.prompt[0])
        if isinstance(value, list):
            return _messages(value, mapping.prompt[0]), {}
        text = _text(value, mapping.prompt[0])
        return (_turns(text) or [{"role": "user", "content": text}]) if text.strip() else [], {}
    inputs = {name: _text(values.get(name), name) for name in mapping.prompt}
    text = "\n\n".join(part for part in inputs.values() if part.strip())
    return ([{"role": "user", "content": text}] if text else []), inputs


def _answer(value: Any, column: str) -> tuple[list[dict[str, str]], str]:
    """What was said before, where the column holds a whole conversation, and the answer."""
    if isinstance(value, list):
        said = _messages(value, column)
    else:
        text = _text(value, column)
        said = _turns(text)
        if not said:
            return [], text
    if not said or said[-1]["role"] != "assistant":
        raise BadPair(f"The conversation in {column} does not end with an answer of the assistant.")
    return said[:-1], said[-1]["content"]


def _turns(text: str) -> list[dict[str, str]]:
    """The messages of "\\n\\nHuman: … \\n\\nAssistant: …"; none where it is plain text."""
    if not text.lstrip("\n").startswith(("Human:", "Assistant:")):
        return []
    parts = _TURN.split("\n\n" + text.lstrip("\n"))
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [{"role": _ROLES[who.lower()], "content": said.strip()} for who, said in pairs]


def _messages(value: Sequence[Any], column: str) -> list[dict[str, str]]:
    if len(value) > MOST_MESSAGES:
        raise BadPair(f"{column} has more than {MOST_MESSAGES} messages.")
    said = []
    for one in value:
        if not isinstance(one, dict):
            raise BadPair(f"{column}: a message is an object with role and content.")
        role = _ROLES.get(str(one.get("role", one.get("from", ""))).lower())
        content = one.get("content", one.get("value"))
        if role is None or not isinstance(content, str):
            raise BadPair(f"{column}: a message has a role (user, assistant, system) and a text as content.")
        said.append({"role": role, "content": _text(content, column)})
    return said


def _repeats(before: Sequence[Mapping[str, str]], messages: Sequence[Mapping[str, str]]) -> bool:
    """Whether the prompt's column says what the conversation begins with anyway."""
    return [one["content"].strip() for one in messages] == [one["content"].strip() for one in before]


def _votes(values: Mapping[str, Any], mapping: PairMapping) -> dict[str, str]:
    if mapping.first_won:
        return {CHOSEN_BY: FIRST}
    votes = {}
    for column in mapping.votes:
        given = values.get(column)
        if given is None or given == "":
            continue
        vote = _VOTES.get(str(given).strip().lower()) if isinstance(given, str | int | float) else None
        if vote is None or isinstance(given, bool):
            told = str(given)[:40]
            raise BadPair(f"{column} says “{told}”: a vote is 1 or A, 2 or B, 0 or tie, or both bad.")
        votes[column.strip()[:100]] = vote
    return votes


def _names(values: Mapping[str, Any], mapping: PairMapping) -> tuple[str, str]:
    if mapping.names:
        first, _, second = _text(values.get(mapping.names), mapping.names).partition("_")
        return first[:LONGEST_NAME], second[:LONGEST_NAME]
    first, second = (
        _text(values.get(name), name).strip()[:LONGEST_NAME] if name else ""
        for name in (mapping.first_name, mapping.second_name)
    )
    return first, second


def _text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if not isinstance(value, str):
        raise BadPair(f"{column} holds {'an object' if isinstance(value, dict) else 'a list'}, not text.")
    if len(value) > LONGEST_ANSWER:
        raise BadPair(f"{column} is longer than {LONGEST_ANSWER:,} characters.")
    if "\x00" in value:
        raise BadPair(f"{column} holds a NUL character.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadPair(f"{column} holds half of a character.") from None
    return value
