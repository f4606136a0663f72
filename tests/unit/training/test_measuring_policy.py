"""A policy is judged by what a comparison measured, and never more surely than its figures allow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.training.measuring.findings import Policy
from apps.training.measuring.on_slices import SliceColumn
from apps.training.measuring.policy import judge

WHOLE = Policy(must_beat="clearly", most_lost_on_slice=None)
SLICES = Policy(must_beat="no", most_lost_on_slice=2.0, least_slice_rows=20)


def metric(difference: float | None, low: float | None, high: float | None, **fields: Any) -> dict[str, Any]:
    """A share of right answers, as a comparison's part "metrics" has it."""
    excluded = low is not None and high is not None and not low <= 0 <= high
    return {
        "name": "exact",
        "title": "Exact match",
        "source": "evaluator",
        "level": "item",
        "direction": "higher",
        "scale": "binary",
        "unit": "",
        "n": 200,
        "missing": 0,
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        "p_value": 0.01 if excluded else 0.4,
        "p_adjusted": 0.02 if excluded else 0.8,
        "detectable": 0.08,
        "sensitivity": None,
        **fields,
    }


def part(value: str | None, difference: float, low: float, high: float, **fields: Any) -> dict[str, Any]:
    """One slice, as the part "slices" has it."""
    return {
        "value": value,
        "n": 60,
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        "worse": high < 0,
        **fields,
    }


BETTER = metric(0.10, 0.03, 0.17)
OPEN = metric(0.03, -0.04, 0.10)
WORSE = metric(-0.10, -0.17, -0.03)


@pytest.mark.parametrize(
    ("must_beat", "figures", "verdict"),
    [
        ("clearly", BETTER, "passed"),
        ("clearly", OPEN, "undecided"),
        ("clearly", WORSE, "failed"),
        ("clearly", metric(0.0, 0.0, 0.0), "failed"),
        ("clearly", metric(0.10, None, None, n=1), "undecided"),
        # The interval excludes zero, the test corrected for all metrics does not: the page says "not sure".
        ("clearly", metric(0.10, 0.01, 0.19, p_adjusted=0.2), "undecided"),
        ("average", BETTER, "passed"),
        ("average", OPEN, "passed"),
        ("average", metric(0.0, -0.04, 0.04), "failed"),
        ("average", WORSE, "failed"),
        ("not_worse", OPEN, "passed"),
        ("not_worse", metric(-0.03, -0.10, 0.04), "passed"),
        ("not_worse", WORSE, "failed"),
        ("not_worse", metric(-0.10, None, None, n=1), "undecided"),
        ("clearly", None, "undecided"),
        ("average", metric(None, None, None, n=0), "undecided"),
        ("average", metric(0.1, 0.05, 0.2, direction=""), "undecided"),
    ],
)
def test_the_whole(must_beat: str, figures: dict[str, Any] | None, verdict: str) -> None:
    assert judge(replace(WHOLE, must_beat=must_beat), figures).verdict == verdict


def test_where_less_is_better_the_sides_change() -> None:
    assert judge(WHOLE, metric(-0.10, -0.17, -0.03, direction="lower")).verdict == "passed"
    assert judge(WHOLE, metric(0.10, 0.03, 0.17, direction="lower")).verdict == "failed"
    lost = [SliceColumn("level", [part("easy", 0.10, 0.05, 0.15, worse=True)])]
    assert judge(SLICES, metric(0.0, -0.1, 0.1, direction="lower"), lost).verdict == "failed"


def test_it_is_said_in_words_with_the_figures_of_the_comparison() -> None:
    text = judge(WHOLE, OPEN).findings[0].text

    assert text.startswith("+3.0 points [−4.0, +10.0] over 200 rows. It may be better, equal or worse.")
    assert "8.0 points" in text  # what so many rows can show


def test_rows_without_a_score_can_forbid_a_pass() -> None:
    """Forty rows that only the base answered would be a pass by leaving out what went wrong."""
    harmless = {"difference": 0.09, "ci_low": 0.02, "ci_high": 0.16}
    harmful = {"difference": -0.05, "ci_low": -0.12, "ci_high": 0.02}

    assert judge(WHOLE, BETTER | {"missing": 1, "sensitivity": harmless}).verdict == "passed"
    judged = judge(WHOLE, BETTER | {"missing": 40, "sensitivity": harmful})
    assert judged.verdict == "undecided"
    assert "40 rows lack a score" in judged.findings[0].text
    assert judge(WHOLE, BETTER | {"missing": 80}).verdict == "undecided"  # of a whole run: no worst case
    assert judge(WHOLE, WORSE | {"missing": 40, "sensitivity": harmful}).verdict == "failed"


@pytest.mark.parametrize(
    ("group", "measured", "shown"),
    [
        (part("easy", 0.05, 0.01, 0.09), "passed", "passed"),
        (part("easy", -0.01, -0.06, 0.04), "passed", "undecided"),  # 2 points are not excluded
        (part("easy", -0.05, -0.12, 0.02), "undecided", "undecided"),
        (part("easy", -0.10, -0.15, -0.05), "failed", "failed"),
        (part("easy", -0.10, -0.15, -0.05, worse=False), "undecided", "undecided"),  # not after correction
        (part("easy", -0.03, -0.05, -0.01), "undecided", "undecided"),  # worse, but perhaps by 1 point only
    ],
)
def test_a_slice(group: dict[str, Any], measured: str, shown: str) -> None:
    columns = [SliceColumn("level", [group])]

    assert judge(SLICES, OPEN, columns).verdict == measured
    assert judge(replace(SLICES, slices_shown=True), OPEN, columns).verdict == shown


def test_one_bad_slice_fails_a_version_that_is_better_on_the_whole() -> None:
    bad = part("hard", -0.10, -0.15, -0.05)
    columns = [SliceColumn("level", [part("easy", 0.2, 0.1, 0.3), bad]), SliceColumn("split", [])]
    judged = judge(Policy(), BETTER, columns)

    assert judged.verdict == "failed"
    assert [finding.answer for finding in judged.findings] == ["passed", "failed"]
    assert [(one.column, one.value, one.answer) for one in judged.findings[1].slices] == [
        ("level", "hard", "failed")
    ]


def test_small_slices_are_not_judged_and_that_is_said() -> None:
    small = part("rare", -0.9, -1.0, -0.8, n=5)
    both = judge(SLICES, OPEN, [SliceColumn("level", [part("easy", 0.0, -0.01, 0.01), small])])
    alone = judge(SLICES, OPEN, [SliceColumn("level", [small])])

    assert both.verdict == "passed"
    assert "1 slice of fewer than 20 rows not judged" in both.findings[0].text
    assert alone.verdict == "undecided"


def test_points_are_hundredths_of_the_scale() -> None:
    """0.07 of a rating from 1 to 5 is less than two points of it; of a share it is seven."""
    columns = [SliceColumn("level", [part("easy", -0.07, -0.2, 0.06)])]
    rating = metric(0.1, -0.1, 0.3, scale="ordinal")

    assert judge(SLICES, rating, columns, span=4.0).verdict == "passed"
    assert judge(SLICES, rating, columns, span=1.0).verdict == "undecided"
    assert judge(SLICES, rating, columns, span=None).verdict == "undecided"


def test_without_a_condition_there_is_no_verdict_and_without_slices_none_is_made_up() -> None:
    assert judge(None, BETTER).verdict == "no_policy"
    assert judge(Policy(must_beat="no", most_lost_on_slice=None), BETTER).verdict == "no_policy"
    assert judge(Policy(), BETTER, []).verdict == "passed"
    assert judge(SLICES, BETTER, []).verdict == "undecided"
    whole_run = judge(Policy(), BETTER | {"level": "run"}, [])
    assert whole_run.verdict == "undecided"
    assert "has no slices" in whole_run.findings[1].text
