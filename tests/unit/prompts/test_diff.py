"""Differences read word by word, and their cost stays bounded whatever is compared."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from apps.prompts.content import VersionContent
from apps.prompts.diff import diff_text, diff_versions


def shown(old: str, new: str) -> str:
    marks = {"equal": "{}", "insert": "[+{}+]", "delete": "[-{}-]"}
    return "".join(marks[part.kind].format(part.text) for part in diff_text(old, new))


def content(*messages: tuple[str, str], **fields: Any) -> VersionContent:
    return VersionContent([{"role": role, "content": text} for role, text in messages], **fields)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("same", "same", "same"),
        ("", "new", "[+new+]"),
        ("old", "", "[-old-]"),
        (
            "Correct this to English.",
            "Correct this to standard English.",
            "Correct this to [+standard +]English.",
        ),
        ("be polite", "be terse", "be [-polite-][+terse+]"),
        ("the quick brown fox", "the slow red fox", "the [-quick brown-][+slow red+] fox"),
        ("one\ntwo\nthree\n", "one\n2\nthree\n", "one\n[-two-][+2+]\nthree\n"),
        ("one\n", "one\nmore\n", "one\n[+more\n+]"),
    ],
)
def test_texts_are_compared_by_words(old: str, new: str, expected: str) -> None:
    assert shown(old, new) == expected


@pytest.mark.parametrize("seed", range(30))
def test_both_texts_can_be_read_off_their_difference(seed: int) -> None:
    choose = random.Random(seed)
    words = ["a", "b", " ", "\n", "word", ". "]
    old, new = ("".join(choose.choices(words, k=choose.randrange(200))) for _ in range(2))
    parts = diff_text(old, new)
    assert "".join(p.text for p in parts if p.kind != "insert") == old
    assert "".join(p.text for p in parts if p.kind != "delete") == new


@pytest.mark.parametrize("separator", [" ", "\n"])
@pytest.mark.parametrize("vocabulary", [2, 50, 5_000])
def test_large_and_repetitive_texts_take_bounded_time(separator: str, vocabulary: int) -> None:
    choose = random.Random(7)
    old = [str(choose.randrange(vocabulary)) for _ in range(20_000)]
    new = [word if choose.random() > 0.01 else "changed" for word in old]
    begun = time.thread_time()
    parts = diff_text(separator.join(old), separator.join(new))
    assert time.thread_time() - begun < 3
    assert "".join(p.text for p in parts if p.kind != "delete") == separator.join(new)


def test_a_few_edits_in_a_long_text_stay_few() -> None:
    old = [f"Line {number} of a long prompt that nobody changes." for number in range(5_000)]
    new = [*old]
    new[100], new[4_000] = "Line 100 of a longer prompt that nobody changes.", "Something else."
    changed = [part for part in diff_text("\n".join(old), "\n".join(new)) if part.kind != "equal"]
    assert sum(len(part.text) for part in changed) < 200


def test_messages_are_matched_and_parameters_compared() -> None:
    old = content(
        ("user", "Correct: {{ a }}"), parameters={"temperature": 0, "stop": ["x"], "extra": {"top_k": 1}}
    )
    new = content(
        ("system", "Be brief."),
        ("user", "Correct: {{ a }}"),
        ("assistant", "{{ b }}"),
        parameters={"temperature": 0.5, "stop": ["x"], "seed": 1, "extra": {"top_k": 2}},
        response_schema={"type": "object"},
    )
    diff = diff_versions(old, new)
    assert [(m.kind, m.old_number, m.new_number) for m in diff.messages] == [
        ("added", None, 1),
        ("equal", 1, 2),
        ("added", None, 3),
    ]
    assert [(v.name, v.old, v.new) for v in diff.parameters] == [
        ("temperature", "0", "0.5"),
        ("top_k", "1", "2"),
        ("seed", None, "1"),
    ]
    assert (diff.variables_added, diff.variables_removed) == (["b"], [])
    assert [part.kind for part in diff.response_schema] == ["insert"]
    assert not diff.is_empty
    assert diff_versions(new, new).is_empty


def test_between_unlike_messages_those_of_one_role_are_compared() -> None:
    old = content(("user", "Correct: {{ a }}"))
    new = content(("system", "Be brief."), ("user", "Correct well: {{ a }}"))
    assert [(m.kind, m.role) for m in diff_versions(old, new).messages] == [
        ("added", "system"),
        ("changed", "user"),
    ]


def test_a_changed_role_is_shown() -> None:
    (message,) = diff_versions(content(("system", "Text")), content(("user", "Text"))).messages
    assert (message.kind, message.old_role, message.role) == ("changed", "system", "user")
