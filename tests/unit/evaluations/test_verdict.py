"""The sentence is never stronger than the interval allows."""

from __future__ import annotations

from typing import Any

import pytest

from apps.evaluations.comparisons.verdict import Verdict, verdict


def metric(**changed: Any) -> dict[str, Any]:
    return {
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
        **changed,
    }


def said(others: list[dict[str, Any]] | None = None, **changed: Any) -> Verdict:
    beside = [metric(**other) for other in others or []]
    return verdict(metric(**changed), candidate="B", baseline="A", others=beside)


def test_an_interval_above_zero_is_better_where_higher_is_better_and_worse_where_lower_is() -> None:
    assert said().tone == "better"
    assert said().sentence == (
        "B is better than A on Accuracy. Difference +0.050, 95% interval +0.010 to +0.090, over 200 examples."
    )
    assert said(direction="lower").tone == "worse"
    assert said(difference=-0.05, ci_low=-0.09, ci_high=-0.01).headline == "B is worse than A on Accuracy."


@pytest.mark.parametrize("ends", [{"ci_low": 0.0, "ci_high": 0.0}, {"ci_low": None, "ci_high": None}])
def test_one_figure_of_the_whole_run_is_the_same_in_both_and_not_in_each_example(
    ends: dict[str, Any],
) -> None:
    found = said(level="run", difference=0.0, baseline_mean=27.4, p_value=None, p_adjusted=None, n=40, **ends)
    assert found.headline == "B and A have the same Accuracy of the whole run, 27.40."
    assert found.mark == "same"
    assert "in each" not in found.sentence
    assert "spread" not in found.sentence


UNSURE_BY_INTERVAL = {
    # difference, low, high, direction: the sentence
    (-0.345, -0.650, 0.005, "higher"): (
        "Not sure yet: B looks worse than A on Accuracy by 0.345, but the data are compatible with anything "
        "from −0.650 to +0.005."
    ),
    (0.05, -0.01, 0.11, "higher"): (
        "Not sure yet: B looks better than A on Accuracy by 0.050, but the data are compatible with anything "
        "from −0.010 to +0.110."
    ),
    (0.05, -0.01, 0.11, "lower"): (
        "Not sure yet: B looks worse than A on Accuracy by 0.050, but the data are compatible with anything "
        "from −0.010 to +0.110."
    ),
    (0.05, -0.01, 0.11, ""): (
        "Not sure yet: B looks higher than A on Accuracy by 0.050, but the data are compatible with anything "
        "from −0.010 to +0.110."
    ),
    (0.05, 0.0, 0.1, "higher"): (
        "Not sure yet: B looks better than A on Accuracy by 0.050, but the data are compatible with anything "
        "from 0.000 to +0.100."
    ),
    (0.0, -0.1, 0.0, "higher"): (
        "Not sure yet: B and A have the same mean Accuracy, but the data are compatible with anything "
        "from −0.100 to 0.000."
    ),
    (-0.3, -0.6, 0.00004, "higher"): (
        "Not sure yet: B looks worse than A on Accuracy by 0.300, but the data are compatible with anything "
        "from −0.600 to +0.00004."
    ),
}
NONE_FOUND_BY_INTERVAL = {
    (0.005, -0.05, 0.06, "higher"): "B may still be up to 0.050 worse or 0.060 better.",
    (0.0, -0.02, 0.02, "higher"): "B may still be up to 0.020 worse or 0.020 better.",
    (-0.005, -0.06, 0.05, "lower"): "B may still be up to 0.050 worse or 0.060 better.",
    (-0.005, -0.06, 0.05, ""): "B may still be up to 0.060 lower or 0.050 higher.",
    (0.02, -0.04, 0.08, "higher"): "B may still be up to 0.040 worse or 0.080 better.",
}


@pytest.mark.parametrize(("given", "sentence"), UNSURE_BY_INTERVAL.items())
def test_an_interval_that_barely_holds_zero_is_not_sure_yet(
    given: tuple[float, float, float, str], sentence: str
) -> None:
    difference, low, high, direction = given
    found = said(
        difference=difference, ci_low=low, ci_high=high, direction=direction, p_value=0.061, p_adjusted=0.12
    )
    assert (found.tone, found.mark) == ("open", "unsure")
    assert found.headline == sentence
    assert found.detail == "95% interval over 200 examples; p = 0.061, corrected 0.12."


@pytest.mark.parametrize(("given", "possible"), NONE_FOUND_BY_INTERVAL.items())
def test_an_interval_well_on_both_sides_of_zero_says_what_it_excludes(
    given: tuple[float, float, float, str], possible: str
) -> None:
    difference, low, high, direction = given
    found = said(difference=difference, ci_low=low, ci_high=high, direction=direction, p_value=0.7)
    assert (found.tone, found.mark) == ("open", "same")
    assert found.headline == f"No difference found between B and A on Accuracy; {possible}"
    assert "excludes more than that" in found.detail


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.11), (0.0, 0.1), (-0.1, 0.0), (-0.1, 0.1)])
def test_no_p_value_makes_better_of_an_interval_that_holds_zero(low: float, high: float) -> None:
    found = said(ci_low=low, ci_high=high, p_value=0.001, p_adjusted=0.001)
    assert found.tone == "open"
    assert "is better" not in found.sentence
    assert "is worse" not in found.sentence


def test_scores_that_are_all_the_same_exclude_nothing() -> None:
    found = said(difference=0.0, ci_low=0.0, ci_high=0.0, p_value=1.0)
    assert (found.tone, found.mark) == ("open", "same")
    assert found.headline == "B and A have the same Accuracy in each of 200 examples."
    assert "cannot be said" in found.detail


CHRF_WORSE = {"title": "chrF", "difference": -3.1, "ci_low": -5.0, "ci_high": -1.0, "p_adjusted": 0.01}
BLEU_BETTER = {"title": "BLEU", "difference": 2.0, "ci_low": 1.0, "ci_high": 3.0, "p_adjusted": 0.01}
OPEN = {"title": "Length", "difference": 2.0, "ci_low": -1.0, "ci_high": 3.0, "p_adjusted": 0.4}
DOUBTED = {"title": "ROUGE", "difference": -3.1, "ci_low": -5.0, "ci_high": -1.0, "p_adjusted": 0.09}


@pytest.mark.parametrize(
    ("others", "headline", "mark"),
    [
        ([], "B is better than A on Accuracy.", "better"),
        ([OPEN, DOUBTED], "B is better than A on Accuracy.", "better"),
        (
            [BLEU_BETTER],
            "B is better than A on Accuracy. BLEU is clearly better too (+2.000 [+1.000, +3.000]).",
            "better",
        ),
        (
            [CHRF_WORSE],
            "B is better than A on Accuracy, but chrF is clearly worse (−3.100 [−5.000, −1.000]).",
            "mixed",
        ),
        (
            [CHRF_WORSE, BLEU_BETTER],
            "B is better than A on Accuracy, but chrF is clearly worse (−3.100 [−5.000, −1.000]). "
            "BLEU is clearly better too (+2.000 [+1.000, +3.000]).",
            "mixed",
        ),
    ],
)
def test_a_metric_that_is_clearly_worse_is_part_of_the_headline(
    others: list[dict[str, Any]], headline: str, mark: str
) -> None:
    found = said(others=others)
    assert found.headline == headline
    assert (found.tone, found.mark) == ("better", mark)


def test_the_other_metrics_stand_in_the_headline_of_an_open_verdict_too() -> None:
    open_ = {"difference": 0.005, "ci_low": -0.05, "ci_high": 0.06}
    found = said(**open_, others=[CHRF_WORSE, BLEU_BETTER])
    assert found.headline.endswith(
        "0.060 better. However, chrF is clearly worse (−3.100 [−5.000, −1.000]). "
        "BLEU is clearly better (+2.000 [+1.000, +3.000])."
    )
    assert found.mark == "mixed"
    assert said(**open_, others=[BLEU_BETTER]).headline.endswith(
        "0.060 better. However, BLEU is clearly better (+2.000 [+1.000, +3.000])."
    )
    worse = said(difference=-0.05, ci_low=-0.09, ci_high=-0.01, others=[CHRF_WORSE, BLEU_BETTER])
    assert worse.headline == (
        "B is worse than A on Accuracy, but BLEU is clearly better (+2.000 [+1.000, +3.000]). "
        "chrF is clearly worse too (−3.100 [−5.000, −1.000])."
    )
    assert worse.mark == "mixed"


def test_many_other_metrics_are_counted_rather_than_listed() -> None:
    many = [CHRF_WORSE | {"title": f"M{place}"} for place in range(5)]
    headline = said(others=many).headline
    assert "M0 is clearly worse" in headline
    assert "M1 is clearly worse" in headline
    assert "M2" not in headline
    assert headline.endswith("and 3 more are clearly worse.")


def test_a_test_that_does_not_agree_with_the_interval_leaves_it_open() -> None:
    found = said(p_adjusted=0.08)
    assert found.tone == "open"
    assert found.mark == "unsure"
    assert (
        found.headline
        == "Not sure yet: B looks better than A on Accuracy by 0.050, but the test does not agree."
    )
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


def test_without_the_primary_metric_the_others_are_still_said() -> None:
    other = {"direction": "higher", **CHRF_WORSE}
    found = verdict(None, candidate="B", baseline="A", others=[other])
    assert found.headline == (
        "B and A do not share the primary metric, so nothing is decided by it. "
        "However, chrF is clearly worse (−3.100 [−5.000, −1.000])."
    )


def test_what_is_missing_is_said_and_louder_when_it_is_much() -> None:
    assert said(missing=1).detail.endswith("1 example lacks a score on a side and is left out.")
    assert said(missing=80).detail.endswith("left out, which is enough to change the picture.")


class TestTwoRunsOfTheSameVersion:
    """Nothing that is versioned differs, so a lean is chance until the interval says otherwise."""

    LEAN = {"difference": 0.05, "ci_low": -0.01, "ci_high": 0.11, "p_value": 0.1, "p_adjusted": 0.1}

    def test_a_lean_is_no_difference_found_and_how_large_a_one_is_excluded(self) -> None:
        found = verdict(metric(**self.LEAN), candidate="B", baseline="A", same_setup=True)
        assert found.headline == (
            "No difference found between B and A on Accuracy; B may still be up to 0.010 worse or "
            "0.110 better."
        )
        assert "the 95% interval excludes more than that" in found.detail
        assert verdict(metric(**self.LEAN), candidate="B", baseline="A").headline.startswith("Not sure yet")

    def test_a_difference_that_should_not_be_there_says_what_it_may_be(self) -> None:
        found = verdict(metric(), candidate="B", baseline="A", same_setup=True)
        assert found.tone == "better"
        assert "it may be chance" in found.detail
