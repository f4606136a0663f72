"""An edit put on top of a version that was saved meanwhile: what it did not touch is as in the newer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.prompts.content import VersionContent
from apps.prompts.parameters import KNOWN


@dataclass(frozen=True, slots=True)
class Rebased:
    """`content` is the edit on top of theirs. `taken` names the fields whose value is now theirs: names of
    parameters, "tools", "response_schema", and "message 1" for the first message."""

    content: VersionContent
    taken: tuple[str, ...]


def rebased(*, base: VersionContent, mine: VersionContent, theirs: VersionContent) -> Rebased:
    """`mine`, which was made from `base`, with `theirs` wherever mine is still as the base was."""
    taken: list[str] = []
    messages = _messages(base.messages, mine.messages, theirs.messages, taken)
    parameters: dict[str, Any] = {}
    for name in KNOWN:
        value = _of_three(
            name, base.parameters.get(name), mine.parameters.get(name), theirs.parameters.get(name), taken
        )
        if value is not None:
            parameters[name] = value
    tools = _of_three("tools", base.tools, mine.tools, theirs.tools, taken)
    schema = _of_three(
        "response_schema", base.response_schema, mine.response_schema, theirs.response_schema, taken
    )
    return Rebased(VersionContent(messages, parameters, tools, schema), tuple(taken))


def _of_three(name: str, base: Any, mine: Any, theirs: Any, taken: list[str]) -> Any:
    if mine != base or mine == theirs:
        return mine
    taken.append(name)
    return theirs


def _messages(
    base: Sequence[dict[str, Any]],
    mine: Sequence[dict[str, Any]],
    theirs: Sequence[dict[str, Any]],
    taken: list[str],
) -> list[dict[str, Any]]:
    """Message by message where all three have as many; else all of mine, unless they are the base's."""
    if len(base) == len(mine) == len(theirs):
        triples = enumerate(zip(base, mine, theirs, strict=True), start=1)
        return [_of_three(f"message {number}", *three, taken) for number, three in triples]
    return list(_of_three("messages", list(base), list(mine), list(theirs), taken))
