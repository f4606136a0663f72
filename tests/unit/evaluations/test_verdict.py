"""The sentence is never stronger than the interval allows."""

from __future__ import annotations

from typing import Any

import pytest

from apps.evaluations.verdict import Verdict, verdict


def said(**changed: Any) -> Verdict:
    metric = {
        "title": "Accuracy",
        "direction": "higher",
        "unit": "",
        "n": 200,
        "missing": 0,
        "difference": 0.05,
        "ci_low": 0.01,
        "ci_high": 0.09,
        "p_value": 0.02,
        "p_adjusted": 0.04,
    }
    return verdict(metric | changed, candidate="B", baseline="A")


def test_an_interval_above_zero_is_better_where_higher_is_better_and_worse_where_lower_is() -> None:
    assert said().tone == "better"
    assert said().sentence == (
        "B is better than A on Accuracy. Difference +0.050, 95% interval +0.010 to +0.090, over 200 examples."
    )
    assert said(direction="lower").tone == "worse"
    assert said(difference=-0.05, ci_low=-0.09, ci_high=-0.01).headline == "B is worse than A on Accuracy."


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.11), (0.0, 0.1), (-0.1, 0.0), (0.0, 0.0)])
def test_an_interval_that_holds_zero_is_no_difference_found(low: float, high: float) -> None:
    found = said(ci_low=low, ci_high=high, p_adjusted=0.001)
    assert found.tone == "open"
    assert "No difference found" in found.headline
    assert "better" not in found.headline


def test_a_test_that_does_not_agree_with_the_interval_leaves_it_open() -> None:
    found = said(p_adjusted=0.08)
    assert found.tone == "open"
    assert "may be better" in found.headline
    assert "corrected for all the metrics shown, is 0.08" in found.detail
    assert said(p_adjusted=None, p_value=0.06).tone == "open"
    assert said(p_adjusted=None, p_value=None).tone == "better"


def test_a_metric_without_a_direction_is_neither_better_nor_worse() -> None:
    found = said(direction="")
    assert found.tone == "open"
    assert found.headline == "B has a higher Accuracy than A; neither direction counts as better."


def test_too_little_to_go_on_is_said() -> None:
    assert "Too few examples" in said(ci_low=None, ci_high=None, n=1).headline
    assert "1 example." in said(ci_low=None, ci_high=None, n=1).detail
    assert "Nothing can be said" in said(n=0, difference=None, missing=7).headline
    assert "share no metric" in verdict(None, candidate="B", baseline="A").headline


def test_what_is_missing_is_said_and_louder_when_it_is_much() -> None:
    assert said(missing=1).detail.endswith("1 example lacks a score on a side and is left out.")
    assert said(missing=80).detail.endswith("left out, which is enough to change the picture.")
