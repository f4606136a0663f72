"""How the figures of a comparison read: shares in percent and points, measures with their units, p-values."""

from __future__ import annotations

from typing import Any

import pytest

from apps.evaluations.comparisons.words import (
    amount,
    bare,
    difference,
    ends,
    interval,
    mean,
    p_equals,
    p_value,
    percent_change,
    size,
    typed,
)

RIGHT: dict[str, Any] = {"scale": "binary", "unit": "", "level": "item"}
CHRF: dict[str, Any] = {"scale": "continuous", "unit": ""}
WORDS: dict[str, Any] = {"scale": "continuous", "unit": "words"}
LATENCY, COST = {"unit": "ms"}, {"unit": "usd"}


def test_a_share_has_points_with_one_decimal() -> None:
    found = RIGHT | {"difference": 57 / 1319, "ci_low": 0.0150669, "ci_high": 0.0713623}
    assert difference(found) == "+4.3 points [+1.5, +7.1]"
    assert ends(found, " to ") == "+1.5 to +7.1"
    assert mean(found, 515 / 1319) == "39.0%"
    assert size(found, -0.0432) == "4.3 points"


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (RIGHT, -0.131, "−13.1 points"),
        (RIGHT, 0.0, "0.0 points"),
        (RIGHT, 0.0001, "+0.01 points"),
        (RIGHT, -0.0004, "−0.04 points"),
        (RIGHT, 1e-12, "0.0 points"),
        (CHRF, 1.3759, "+1.376"),
        (CHRF, -0.00004, "−0.00004"),
        (CHRF, 0.0, "0.000"),
        (WORDS, -12.5, "−12.50 words"),
        (LATENCY, 172.4, "+172 ms"),
        (LATENCY, -0.2, "0 ms"),
        (COST, -0.0019, "−$0.0019"),
        (COST, 1e-17, "$0"),
        (CHRF, None, "–"),
    ],
)
def test_differences_have_sign_and_unit_and_never_read_as_zero_unless_they_are(
    metric: dict[str, Any], value: float | None, text: str
) -> None:
    assert amount(metric | {"difference": value}) == text
    assert amount(metric, value) == text or value is None


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (RIGHT, 0.5625, "56.2%"),
        (RIGHT | {"level": "run"}, 1.0, "yes"),
        (RIGHT | {"level": "run"}, 0.0, "no"),
        (CHRF, 0.6123, "0.612"),
        (WORDS, 61.0, "61.00 words"),
        (LATENCY, 2_950.0, "3.0 s"),
        (COST, 0.0021, "$0.0021"),
        (COST, None, "–"),
    ],
)
def test_means(metric: dict[str, Any], value: float | None, text: str) -> None:
    assert mean(metric, value) == text


def test_no_interval_reads_as_nothing() -> None:
    assert interval(CHRF | {"ci_low": None, "ci_high": 0.2}) == ""
    assert difference(CHRF | {"difference": 0.1, "ci_low": None, "ci_high": None}) == "+0.100"
    assert interval(RIGHT, 0.0, 0.0) == "[0.0, 0.0]"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0031507, "0.003"), (0.0004, "< 0.001"), (0.031, "0.031"), (0.42, "0.42"), (1.0, "1.00"), (None, "–")],
)
def test_p_values(value: float | None, text: str) -> None:
    assert p_value(value) == text


def test_p_values_in_a_sentence() -> None:
    assert p_equals(0.0031507) == "p = 0.003"
    assert p_equals(1e-9) == "p < 0.001"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.894, "−89%"), (2.6, "+260%"), (0.0041, "+0.4%"), (0.00001, "0%"), (0.0, "0%")]
)
def test_relative_changes(value: float, text: str) -> None:
    assert percent_change(value) == text


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        (RIGHT, "2", 0.02),
        (RIGHT, "2,5 %", 0.025),
        (CHRF, "+0.05", 0.05),
        (CHRF, "−0.05", None),
        (RIGHT, "-2", None),
        (CHRF, "0", None),
        (CHRF, "inf", None),
        (CHRF, "much", None),
        (CHRF, "1e300", None),
    ],
)
def test_a_size_is_typed_in_the_metrics_unit(metric: dict[str, Any], text: str, value: float | None) -> None:
    assert typed(metric, text) == (None if value is None else pytest.approx(value))


def test_a_value_alone_has_no_unit() -> None:
    assert bare(RIGHT, 0.0713) == "+7.1"
    assert bare(WORDS, 3.0) == "+3.000"
