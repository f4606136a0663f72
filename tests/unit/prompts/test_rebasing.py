"""An edit on top of a version that was saved meanwhile."""

from __future__ import annotations

from typing import Any

from apps.prompts.content import VersionContent
from apps.prompts.rebasing import rebased


def said(*texts: str, **parts: Any) -> VersionContent:
    return VersionContent([{"role": "user", "content": text} for text in texts], **parts)


def test_what_both_changed_stays_mine_and_is_named() -> None:
    edit = rebased(
        base=said("a", parameters={"seed": 1}),
        mine=said("mine", parameters={"seed": 2}),
        theirs=said("theirs", parameters={"seed": 3}),
    )
    assert (edit.content, edit.taken) == (said("mine", parameters={"seed": 2}), ())
    assert edit.conflicts == ("messages[0]", "parameters.seed")


def test_what_both_changed_alike_is_no_conflict() -> None:
    edit = rebased(base=said("a"), mine=said("b"), theirs=said("b"))
    assert (edit.content, edit.taken, edit.conflicts) == (said("b"), (), ())


def test_what_only_they_changed_is_theirs() -> None:
    schema = {"type": "object"}
    edit = rebased(
        base=said("a", "b", parameters={"model": "x/y", "seed": 1}),
        mine=said("a", "mine", parameters={"model": "x/y", "seed": 2}),
        theirs=said("theirs", "b", parameters={"model": "x/z", "top_p": 1}, response_schema=schema),
    )
    expected = {"model": "x/z", "top_p": 1, "seed": 2}
    assert edit.content == said("theirs", "mine", parameters=expected, response_schema=schema)
    assert set(edit.taken) == {"messages[0]", "parameters.model", "parameters.top_p", "response_schema"}
    assert edit.conflicts == ("parameters.seed",)


def test_what_they_took_away_stays_away() -> None:
    edit = rebased(
        base=said("a", parameters={"seed": 1}),
        mine=said("mine", parameters={"seed": 1}),
        theirs=said("a", parameters={}),
    )
    assert edit.content == said("mine")


def test_lines_of_one_message_come_from_whoever_changed_them() -> None:
    edit = rebased(
        base=said("one\ntwo\nthree\nfour\nfive"),
        mine=said("ONE\ntwo\nthree\nfour\nfive"),
        theirs=said("one\ntwo\nthree\nfour\nFIVE\nsix"),
    )
    assert edit.content == said("ONE\ntwo\nthree\nfour\nFIVE\nsix")
    assert (edit.taken, edit.conflicts) == (("messages[0]",), ())


def test_a_line_that_both_changed_stays_mine_beside_lines_that_are_theirs() -> None:
    edit = rebased(base=said("a\nb\nc\n"), mine=said("a\nmine\nc\n"), theirs=said("A\ntheirs\nc\nd\n"))
    assert edit.content == said("a\nmine\nc\nd\n")
    assert edit.conflicts == ("messages[0]",)


def test_a_message_that_one_added_stands_beside_one_that_the_other_changed() -> None:
    edit = rebased(base=said("a", "b"), mine=said("a", "b", "c"), theirs=said("x", "b"))
    assert (edit.content, edit.taken, edit.conflicts) == (said("x", "b", "c"), ("messages[0]",), ())
    edit = rebased(base=said("a", "b"), mine=said("a", "b"), theirs=said("x"))
    assert (edit.content, edit.taken) == (said("x"), ("messages",))


def test_messages_that_both_added_and_removed_stay_mine() -> None:
    edit = rebased(base=said("a", "b"), mine=said("mine"), theirs=said("a", "theirs", "more"))
    assert (edit.content, edit.conflicts) == (said("mine"), ("messages",))


def test_a_role_changed_by_one_and_a_text_by_the_other_come_together() -> None:
    system = VersionContent([{"role": "system", "content": "a"}])
    edit = rebased(base=said("a"), mine=system, theirs=said("b"))
    assert edit.content == VersionContent([{"role": "system", "content": "b"}])
    assert edit.conflicts == ()


def test_an_edit_that_began_before_the_first_version_keeps_what_was_written() -> None:
    edit = rebased(base=said(), mine=said("mine"), theirs=said("theirs", parameters={"seed": 1}))
    assert edit.content == said("mine", parameters={"seed": 1})
    assert edit.conflicts == ("messages",)


def test_long_texts_are_merged_in_bounded_time() -> None:
    lines = [f"line {number % 7}" for number in range(20_000)]
    mine, theirs = ["mine", *lines], [*lines, "theirs"]
    edit = rebased(base=said("\n".join(lines)), mine=said("\n".join(mine)), theirs=said("\n".join(theirs)))
    assert edit.content.messages[0]["content"].startswith("mine\nline 0")
