"""What judges are asked and how their answers are read: plain values, no model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.evaluations.evaluators import Outcome, Scored, ScoringInput, Unscored, default_config, kind
from apps.evaluations.evaluators.judge_text import as_data
from apps.providers.protocol import CompletionResponse


def said(text: str, finish: str = "stop") -> CompletionResponse:
    return CompletionResponse(text, (), finish, 1, 1, None, 0.1, "judge")


def read(name: str, *answers: str, item: ScoringInput | None = None, **config: Any) -> Outcome:
    by_calls = kind(name).by_calls
    assert by_calls is not None
    settings = {**default_config(kind(name)), "model": "a/b", **config}
    return by_calls.read([said(answer) for answer in answers], item or ScoringInput({}, "x"), settings)


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "r", "score": 4}',
        '```json\n{"reason": "r", "score": 4}\n```',
        'Let me think. {"draft": 1} It is good.\n{"reason": "r", "Score": "4/5"}',
        '{"reason": "r", "score": 2} no, wait: {"reason": "r", "score": 4.0}',
    ],
)
def test_a_score_is_read_from_json_alone_in_a_fence_or_within_text(text: str) -> None:
    assert read("rubric_judge", text) == Scored({"score": 4.0}, "r")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "It said nothing"),
        ('{"score": true}', "a score from 1 to 5"),
        ('{"score": 7}', "The judge gave 7, which is not a whole number from 1 to 5."),
        ('{"score": 3.5}', "The judge gave 3.5, which is not a whole number from 1 to 5."),
        ('{"score": "NaN"}', "a score from 1 to 5"),
        ('{"reason": "half', "did not answer with a JSON object with score"),
        ("[" * 100_000, "did not answer with a JSON object with score"),
    ],
)
def test_what_is_no_score_is_unscored_with_one_clear_reason(text: str, reason: str) -> None:
    found = read("rubric_judge", text)
    assert isinstance(found, Unscored)
    assert reason in found.reason


def test_an_answer_that_was_cut_off_is_called_so() -> None:
    by_calls = kind("rubric_judge").by_calls
    assert by_calls is not None
    config = {**default_config(kind("rubric_judge")), "model": "a/b"}
    found = by_calls.read([said('{"reason": "and', "length")], ScoringInput({}, "x"), config)
    assert isinstance(found, Unscored)
    assert "cut off at its limit of tokens" in found.reason


@pytest.mark.parametrize(
    ("category", "value"),
    [("subset", 0.4), ("superset", 0.6), ("same", 1.0), ("disagree", 0.0), ("irrelevant", 1.0)],
)
def test_factuality_has_the_values_of_autoevals(category: str, value: float) -> None:
    found = read("factuality", json.dumps({"reason": "r", "category": category}))
    assert found == Scored({"factuality": value}, "r", label=category)


def test_the_values_of_factuality_can_be_chosen() -> None:
    found = read("factuality", '{"reason": "r", "category": "subset"}', subset=0.9)
    assert found == Scored({"factuality": 0.9}, "r", label="subset")
    assert isinstance(read("factuality", '{"category": "maybe"}'), Unscored)


@pytest.mark.parametrize(
    ("first", "second", "label", "value", "flips"),
    [
        ("first", "second", "win", 1.0, 0),
        ("second", "first", "loss", 0.0, 0),
        ("tie", "tie", "tie", 0.5, 0),
        ("first", "first", "tie", 0.5, 1),
        ("second", "second", "tie", 0.5, 1),
        ("first", "tie", "tie", 0.5, 1),
    ],
)
def test_a_choice_that_flips_with_the_order_is_a_tie(
    first: str, second: str, label: str, value: float, flips: int
) -> None:
    answers = [json.dumps({"reason": "r", "winner": winner}) for winner in (first, second)]
    found = read("pairwise_judge", *answers)
    assert isinstance(found, Scored)
    assert (found.label, found.values["win"], found.statistics["flips"]) == (label, value, flips)


def test_flips_and_ties_are_rates_of_the_run() -> None:
    whole = kind("pairwise_judge").whole_run
    assert whole is not None
    totals = whole.of_example([{"pairs": 1, "flips": 1, "tie": 1}, {"pairs": 1, "flips": 0, "win": 1}], {})
    assert whole.score(totals, {}) == {"flip_rate": 0.5, "tie_rate": 0.5}
    assert whole.score({}, {}) == {"flip_rate": None, "tie_rate": None}


def test_untrusted_text_cannot_close_a_tag_or_open_a_role() -> None:
    nested = {"a</x>": ["1 < 2", "</output> <|im_start|> <!-- <?x", {"k": "<B>"}], "n": 3}
    assert as_data(nested) == {
        "a&lt;/x>": ["1 < 2", "&lt;/output> &lt;|im_start|> &lt;!-- &lt;?x", {"k": "&lt;B>"}],
        "n": 3,
    }


def consistency(*outputs: str, **config: Any) -> list[Outcome]:
    of = kind("self_consistency")
    assert of.of_repetitions is not None
    settings = {**default_config(of), **config}
    return of.of_repetitions([ScoringInput({}, output) for output in outputs], settings)


def test_self_consistency_is_the_share_of_others_that_agree() -> None:
    assert [
        outcome.values["agreement"]
        for outcome in consistency("Paris.", " paris", "Lyon", "PARIS!")
        if isinstance(outcome, Scored)
    ] == [pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0, pytest.approx(2 / 3)]


def test_numbers_agree_whatever_is_said_around_them_and_no_number_agrees_with_none() -> None:
    found = consistency("It is 1,300.", "so #### 1300", "no idea", "no idea", method="numeric")
    assert [outcome.values["agreement"] for outcome in found if isinstance(outcome, Scored)] == [
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
        0.0,
        0.0,
    ]


def test_one_output_alone_has_nothing_to_agree_with() -> None:
    [found] = consistency("Paris")
    assert isinstance(found, Unscored)
    assert "repetitions" in found.reason
