"""The form of a queue: what is a form, what is an answer, what it is worth, and who agrees."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import InvalidInput
from apps.feedback.queues.form import (
    check_form,
    check_values,
    disagreements,
    matches_gold,
    read_form,
    score_of,
)

FORM: list[dict[str, Any]] = [
    {"key": "thumb", "label": "Good?", "kind": "thumb", "required": True},
    {"key": "scale", "label": "How good?", "kind": "scale"},
    {"key": "kinds", "label": "Kinds", "kind": "categories", "options": ["a", "b", "c"], "multiple": True},
    {"key": "number", "label": "How many?", "kind": "number", "min": 0, "max": 10},
    {"key": "comment", "label": "Comment", "kind": "comment"},
]
VOTE = {"key": "vote", "label": "Better?", "kind": "vote", "required": True}


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ([], "at least one field"),
        ([{"key": "A", "label": "x", "kind": "thumb"}], "small letters"),
        ([{"key": "a", "label": "x", "kind": "smile"}], "its kind is one of"),
        ([{"key": "a", "label": "x", "kind": "categories", "options": ["one"]}], "2 to 50 options"),
        ([{"key": "a", "label": "x", "kind": "scale", "min": 1, "max": 50}], "2 to 10 steps"),
        ([{"key": "a", "label": "x", "kind": "number", "min": 3, "max": 3}], "minimum is smaller"),
        ([{"key": "a", "label": "x", "kind": "thumb", "colour": "red"}], "colour is no property"),
        ([FORM[0], FORM[0]], "used by another field"),
    ],
)
def test_what_is_no_form_is_refused_with_its_field(form: list[Any], wrong: str) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        read_form(form)


def test_a_vote_is_asked_first_of_pairs_and_nowhere_else() -> None:
    assert check_form([VOTE], pair=True)[0].key == "vote"
    for form, pair in (([VOTE], False), (FORM, True), ([FORM[0], VOTE], True), ([FORM[1]], False)):
        with pytest.raises(InvalidInput):
            check_form(form, pair=pair)


def test_a_form_reads_back_as_it_was_kept() -> None:
    fields = read_form(FORM)
    kept = [field.as_json() for field in fields]
    assert read_form(kept) == fields
    assert kept[3]["min"] == 0


def test_answers_are_checked_by_field_and_empty_ones_left_out() -> None:
    form = read_form(FORM)
    given = {"thumb": "up", "scale": 3.0, "kinds": ["c", "a"], "number": None, "comment": "  "}
    assert check_values(form, given) == {"thumb": "up", "scale": 3, "kinds": ["a", "c"]}
    assert check_values(form, {}, partial=True) == {}
    wrong = {"thumb": 1, "scale": 6, "kinds": ["d"], "number": True, "comment": "\x00", "other": 1}
    with pytest.raises(InvalidInput) as refused:
        check_values(form, wrong)
    assert set(refused.value.fields) == set(wrong)
    with pytest.raises(InvalidInput) as refused:
        check_values(form, {"scale": 2})
    assert set(refused.value.fields) == {"thumb"}


def test_answers_are_worth_numbers_or_labels() -> None:
    thumb, scale, kinds, number, comment = read_form(FORM)
    (vote,) = read_form([VOTE])
    assert (score_of(thumb, "up"), score_of(thumb, "down")) == ((1.0, "up"), (0.0, "down"))
    assert score_of(scale, 4) == (4.0, "4")
    assert score_of(kinds, ["a", "c"]) == (None, "a, c")
    assert score_of(number, 2.5) == (2.5, "2.5")
    assert score_of(comment, "Well.") == (None, "")
    assert [score_of(vote, one)[0] for one in ("first", "second", "tie", "bad")] == [1.0, 0.0, 0.5, 0.5]
    assert score_of(thumb, None) == (None, "")


def test_people_disagree_by_kind_and_only_where_both_answered() -> None:
    form = read_form(FORM)
    one = {"thumb": "up", "scale": 3, "kinds": ["a"], "number": 4, "comment": "Yes"}
    assert disagreements(form, [one, {**one, "scale": 4, "comment": "No"}]) == []
    assert disagreements(form, [one, {**one, "scale": 5, "number": 5}]) == ["scale", "number"]
    assert disagreements(form, [one, {"thumb": "down"}]) == ["thumb"]
    assert matches_gold(form, {"thumb": "up", "scale": 4}, one)
    assert not matches_gold(form, {"thumb": "up", "scale": 4}, {"thumb": "up"})
