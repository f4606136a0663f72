"""From judgements to rows: who is believed, what a prompt is, and on which side of the split it lies."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.core.errors import InvalidInput
from apps.feedback.training_sets.answers import Answer
from apps.feedback.training_sets.conversations import (
    Unusable,
    near_hash,
    prompt_hash,
    question_hash,
    split_of,
    text_hash,
    trained_prompt,
)
from apps.feedback.training_sets.naming import (
    Ref,
    correction_name,
    digest,
    flipped,
    pair_name,
    refs_of,
)
from apps.feedback.training_sets.recipe import Recipe, read_recipe
from apps.feedback.training_sets.rows import Judged, rows_of
from apps.feedback.training_sets.tokens import Estimate
from apps.feedback.training_sets.verdicts import Judgement, verdict_on_answer, verdict_on_pair

ONE, OTHER = Ref("span", UUID(int=1)), Ref("span", UUID(int=2))
ASKED = [{"role": "user", "content": "What is it?"}]


def said(*words: str, kind: str = "annotation", settles: bool = False) -> tuple[Judgement, ...]:
    """One judgement a person."""
    return tuple(
        Judgement(kind, f"{place}", f"person {place}", word, settles) for place, word in enumerate(words)
    )


@pytest.mark.parametrize(
    ("words", "conflicts", "chosen", "left_out"),
    [
        (("up",), "majority", ("up",), ""),
        (("up", "up", "down"), "majority", ("up",), ""),
        (("up", "up", "down"), "unanimous", (), "disagreement"),
        (("up", "down"), "majority", (), "conflict"),
        (("up", "down"), "keep", ("up", "down"), ""),
        (("down", "middle"), "majority", ("down",), ""),
        (("middle",), "majority", (), "undecided"),
        (("up", "waits"), "keep", (), "disputed"),
    ],
)
def test_the_majority_decides_on_an_answer(words, conflicts, chosen, left_out):
    verdict = verdict_on_answer(said(*words), conflicts=conflicts)
    assert (verdict.chosen, verdict.left_out) == (chosen, left_out)
    assert verdict.contested == ({"up", "down"} <= set(words) or "waits" in words)


@pytest.mark.parametrize(
    ("words", "conflicts", "chosen", "left_out"),
    [
        (("first", "first", "tie"), "majority", ("first",), ""),
        (("first", "second"), "majority", (), "conflict"),
        (("first", "second"), "keep", ("first", "second"), ""),
        (("first", "tie"), "majority", (), "conflict"),
        (("tie",), "majority", (), "tie"),
        (("bad", "bad", "first"), "keep", (), "both_bad"),
        (("first", "first", "second"), "unanimous", (), "disagreement"),
    ],
)
def test_the_majority_decides_on_a_pair(words, conflicts, chosen, left_out):
    verdict = verdict_on_pair(said(*words), conflicts=conflicts)
    assert (verdict.chosen, verdict.left_out) == (chosen, left_out)


def test_one_person_counts_once_and_an_adjudicator_before_all():
    twice = (Judgement("feedback", "9", "ada", "up"), Judgement("annotation", "1", "ada", "down"))
    verdict = verdict_on_answer(twice, conflicts="majority")
    assert (verdict.chosen, verdict.counted) == (("down",), (twice[1],))
    settled = (*said("up", "up"), Judgement("annotation", "7", "judge", "down", settles=True))
    assert verdict_on_answer(settled, conflicts="majority").chosen == ("down",)


def test_a_prompt_is_texts_that_end_with_a_user():
    prompt = trained_prompt(
        [
            {"role": "developer", "content": "Be brief.", "name": None},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What "}, {"type": "text", "text": "is it?"}],
            },
        ]
    )
    assert prompt == [{"role": "system", "content": "Be brief."}, *ASKED]
    for messages, reason in (
        ([], "no_prompt"),
        ([{"role": "user", "content": " "}], "no_prompt"),
        ([*ASKED, {"role": "assistant", "content": "It"}], "not_asked"),
        ([{"role": "assistant", "content": "", "tool_calls": [{}]}, *ASKED], "tools"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "not_text"),
    ):
        with pytest.raises(Unusable) as refused:
            trained_prompt(messages)
        assert refused.value.reason == reason


def test_what_differs_in_case_and_spacing_is_one_prompt_on_one_side():
    same = [{"role": "user", "content": "  WHAT is\n it? "}]
    assert prompt_hash(ASKED) == prompt_hash(same)
    assert prompt_hash(ASKED) != prompt_hash([{"role": "system", "content": "What is it?"}])
    assert near_hash(ASKED, "It is – this!") == near_hash(same, "it is this")
    assert question_hash([{"role": "system", "content": "…"}, *ASKED]) == text_hash("what is it?")
    sides = [
        split_of(prompt_hash([{"role": "user", "content": f"{n}"}]), train=80, validation=10)
        for n in range(2000)
    ]
    assert 1500 < sides.count("train") < 1700
    assert 140 < sides.count("test") < 260
    assert set(sides) == {"train", "validation", "test"}


def test_names_are_the_same_whichever_side_an_answer_stood_on():
    name, turned = pair_name(OTHER, ONE)
    assert (name, turned) == (pair_name(ONE, OTHER)[0], True)
    assert flipped("first", turned) == "second"
    assert flipped("tie", turned) == "tie"
    assert refs_of(name) == (ONE, OTHER)
    assert refs_of(correction_name(ONE, "Better")) == (ONE,)


def test_rows_of_each_method():
    answers = {
        ONE: (Answer(ASKED, "A good answer", origin={"prompt": "p", "version": 2}),),
        OTHER: (Answer([{"role": "user", "content": "And what is it?"}], "A bad answer"),),
    }
    recipe = Recipe()
    kto = rows_of(Judged(str(ONE), said("down")), "kto", recipe, answers, {}).rows[0]
    assert (kto.label, kto.left_out, kto.answer, kto.origin["prompt"]) == (False, "", "A good answer", "p")
    sft = rows_of(Judged(str(ONE), said("down")), "sft", recipe, answers, {}).rows[0]
    assert sft.left_out == "disapproved"
    pair = Judged(pair_name(ONE, OTHER)[0], said("second"))
    dpo = rows_of(pair, "dpo", recipe, answers, {}).rows[0]
    assert (dpo.answer, dpo.rejected) == ("A bad answer", "A good answer")
    assert dpo.prompt[0]["content"] == "And what is it?"
    strict = rows_of(pair, "dpo", Recipe(different_prompts="leave_out"), answers, {}).rows[0]
    assert strict.left_out == "other_prompt"
    corrected = Judged(correction_name(ONE, "Better"), said("correction"))
    row = rows_of(corrected, "dpo", recipe, answers, {digest("Better"): "Better"}).rows[0]
    assert (row.answer, row.rejected, row.left_out) == ("Better", "A good answer", "")
    assert rows_of(corrected, "dpo", recipe, answers, {}).rows[0].left_out == "changed"
    unchanged = Judged(correction_name(ONE, "a GOOD answer"), said("correction"))
    [row] = rows_of(unchanged, "sft", recipe, answers, {digest("a GOOD answer"): "a GOOD answer"}).rows
    assert row.left_out == "same_text"
    assert rows_of(Judged(str(ONE), said("up")), "sft", recipe, {}, {}).rows[0].left_out == "gone"
    both = rows_of(Judged(str(ONE), said("up", "down")), "kto", Recipe(conflicts="keep"), answers, {}).rows
    assert {(row.key.rpartition("/")[2], row.label) for row in both} == {("up", True), ("down", False)}


def test_a_recipe_says_what_is_wrong_with_it():
    assert read_recipe({}) == Recipe()
    assert read_recipe(Recipe(prompt="p").as_json()) == Recipe(prompt="p")
    for asked, field in (
        ({"sources": []}, "sources"),
        ({"sources": ["elsewhere"]}, "sources"),
        ({"train": 90, "validation": 20}, "train"),
        ({"good_from": 2, "bad_to": 2}, "bad_to"),
        ({"since": "2026-13-01"}, "since"),
        ({"version": 2}, "version"),
        ({"conflicts": "coin"}, "conflicts"),
        ({"good_from": float("nan")}, "good_from"),
        ({"elsewhere": 1}, "elsewhere"),
    ):
        with pytest.raises(InvalidInput) as refused:
            read_recipe(asked)
        assert field in refused.value.fields


def test_an_estimate_grows_with_the_text():
    short, long = Estimate().count([ASKED, [{"role": "user", "content": "word " * 100}]])
    assert short < 10 < long
