"""An edit on top of a version that was saved meanwhile."""

from __future__ import annotations

from typing import Any

from apps.prompts.content import VersionContent
from apps.prompts.rebasing import rebased


def said(*texts: str, **parts: Any) -> VersionContent:
    return VersionContent([{"role": "user", "content": text} for text in texts], **parts)


def test_what_both_changed_stays_mine() -> None:
    edit = rebased(
        base=said("a", parameters={"seed": 1}),
        mine=said("mine", parameters={"seed": 2}),
        theirs=said("theirs", parameters={"seed": 3}),
    )
    assert (edit.content, edit.taken) == (said("mine", parameters={"seed": 2}), ())


def test_what_only_they_changed_is_theirs() -> None:
    schema = {"type": "object"}
    edit = rebased(
        base=said("a", "b", parameters={"model": "x/y", "seed": 1}),
        mine=said("a", "mine", parameters={"model": "x/y", "seed": 2}),
        theirs=said("theirs", "b", parameters={"model": "x/z", "top_p": 1}, response_schema=schema),
    )
    expected = {"model": "x/z", "top_p": 1, "seed": 2}
    assert edit.content == said("theirs", "mine", parameters=expected, response_schema=schema)
    assert set(edit.taken) == {"message 1", "model", "top_p", "response_schema"}


def test_what_they_took_away_stays_away() -> None:
    edit = rebased(
        base=said("a", parameters={"seed": 1}),
        mine=said("mine", parameters={"seed": 1}),
        theirs=said("a", parameters={}),
    )
    assert edit.content == said("mine")


def test_messages_that_were_added_or_removed_are_not_mixed() -> None:
    edit = rebased(base=said("a", "b"), mine=said("a", "b", "c"), theirs=said("x", "b"))
    assert (edit.content, edit.taken) == (said("a", "b", "c"), ())
    edit = rebased(base=said("a", "b"), mine=said("a", "b"), theirs=said("x"))
    assert (edit.content, edit.taken) == (said("x"), ("messages",))


def test_an_edit_that_began_before_the_first_version_keeps_what_was_written() -> None:
    edit = rebased(base=said(), mine=said("mine"), theirs=said("theirs", parameters={"seed": 1}))
    assert edit.content == said("mine", parameters={"seed": 1})
