"""An edit put on top of a version that was saved meanwhile: what only one of the two changed stays changed.

Messages, and the lines of a message's text, are merged in three ways as diff3 does (S. Khanna, K. Kunal and
B. Pierce, "A Formal Investigation of Diff3", 2007); everything else is taken whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from apps.prompts.alignment import Allowance, align
from apps.prompts.content import VersionContent
from apps.prompts.parameters import KNOWN

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rebased:
    """`content` is the edit on top of theirs. `taken` are the places where it has theirs, `conflicts` those
    that both changed, where it has mine: "messages", "messages[0]", "parameters.seed", "tools",
    "response_schema".
    """

    content: VersionContent
    taken: tuple[str, ...]
    conflicts: tuple[str, ...]


@dataclass(slots=True)
class _Places:
    taken: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def of_three(self, place: str, base: Any, mine: Any, theirs: Any) -> Any:
        if mine == theirs or theirs == base:
            return mine
        (self.taken if mine == base else self.conflicts).append(place)
        return theirs if mine == base else mine


def rebased(*, base: VersionContent, mine: VersionContent, theirs: VersionContent) -> Rebased:
    """`mine`, which was made from `base`, with what `theirs` changed in the base meanwhile."""
    places = _Places()
    messages = _messages(base.messages, mine.messages, theirs.messages, places)
    parameters: dict[str, Any] = {}
    for name in KNOWN:
        three = (content.parameters.get(name) for content in (base, mine, theirs))
        value = places.of_three(f"parameters.{name}", *three)
        if value is not None:
            parameters[name] = value
    tools = places.of_three("tools", base.tools, mine.tools, theirs.tools)
    schema = places.of_three(
        "response_schema", base.response_schema, mine.response_schema, theirs.response_schema
    )
    content = VersionContent(messages, parameters, tools, schema)
    return Rebased(content, tuple(dict.fromkeys(places.taken)), tuple(dict.fromkeys(places.conflicts)))


class Chunk(NamedTuple):
    """A stretch of the base, and what it became in each of the two edits."""

    base: Sequence[str]
    mine: Sequence[str]
    theirs: Sequence[str]


def chunks_of(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> Iterator[Chunk]:
    """The three in stretches, in order: one item that all have, or what lies between two of those."""
    allowance = Allowance()
    to_mine, to_theirs = _matches(base, mine, allowance), _matches(base, theirs, allowance)
    i = j = k = 0
    for place in range(len(base)):
        if place not in to_mine or place not in to_theirs:
            continue
        a, b = to_mine[place], to_theirs[place]
        if (place, a, b) != (i, j, k):
            yield Chunk(base[i:place], mine[j:a], theirs[k:b])
        i, j, k = place + 1, a + 1, b + 1
        yield Chunk(base[place:i], mine[a:j], theirs[b:k])
    if (i, j, k) != (len(base), len(mine), len(theirs)):
        yield Chunk(base[i:], mine[j:], theirs[k:])


def _matches(base: Sequence[str], other: Sequence[str], allowance: Allowance) -> dict[int, int]:
    """Place in base → place in other of what is the same in both."""
    found: dict[int, int] = {}
    i = j = 0
    for kind, before, after in align(base, other, allowance):
        if kind == "equal":
            found |= {i + step: j + step for step in range(len(before))}
        i, j = i + len(before), j + len(after)
    return found


def _messages(
    base: Sequence[Message], mine: Sequence[Message], theirs: Sequence[Message], places: _Places
) -> list[Message]:
    written = [
        [json.dumps(message, sort_keys=True) for message in messages] for messages in (base, mine, theirs)
    ]
    merged: list[Message] = []
    for chunk in chunks_of(*written):
        old, ours, other = ([json.loads(text) for text in side] for side in chunk)
        if len(old) == len(ours) == len(other):
            for three in zip(old, ours, other, strict=True):
                merged.append(_message(f"messages[{len(merged)}]", *three, places))
        else:
            merged += places.of_three("messages", old, ours, other)
    return merged


def _message(place: str, base: Message, mine: Message, theirs: Message, places: _Places) -> Message:
    merged: Message = {}
    for name in dict.fromkeys((*mine, *theirs)):
        three = (base.get(name), mine.get(name), theirs.get(name))
        if name == "content" and all(isinstance(value, str) for value in three):
            merged[name] = _text(place, three, places)
        elif (value := places.of_three(place, *three)) is not None:
            merged[name] = value
    return merged


def _text(place: str, three: Sequence[Any], places: _Places) -> str:
    lines = [_LINES.findall(text) for text in three]
    return "".join("".join(places.of_three(place, *chunk)) for chunk in chunks_of(*lines))
