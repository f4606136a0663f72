"""Few examples, none, all tied, very many, missing, repeated, grouped: always a plain answer, never NaN."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import pytest

from apps.evaluations.statistics import mean_interval, paired_comparison


def scores(*values: float) -> dict[str, float]:
    return {f"e{i:06}": value for i, value in enumerate(values)}


@pytest.mark.parametrize("scale", ["binary", "continuous", "ordinal"])
@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ((), ()),
        ((1,), ()),
        ((1,), (0,)),
        ((0,), (0,)),
        ((0, 0, 0), (0, 0, 0)),
        ((0, 0, 0), (1, 1, 1)),
        ((0, 1), (1, 0)),
        ((math.nan, 1, 0), (1, math.inf, 0)),
        ((0,) * 30, (0,) * 29 + (1,)),
    ],
)
def test_no_answer_ever_holds_nan(scale, baseline, candidate):
    result = paired_comparison(scores(*baseline), scores(*candidate), scale=scale)
    json.dumps(dataclasses.asdict(result), allow_nan=False)
    assert result.wins + result.ties + result.losses == result.n
    assert result.reason
    if result.ci_low is not None:
        assert result.ci_low <= result.difference <= result.ci_high


def test_nothing_in_common_has_no_test_and_says_why():
    result = paired_comparison({"a": 1.0}, {"b": 1.0}, scale="binary")
    assert (result.n, result.missing, result.difference, result.p_value, result.test) == (
        0,
        2,
        None,
        None,
        "",
    )
    assert "both runs" in result.reason


def test_all_ties_find_no_difference_and_still_say_how_large_one_is_excluded():
    result = paired_comparison(scores(*[1.0, 0.0] * 50), scores(*[1.0, 0.0] * 50), scale="binary")
    assert (result.difference, result.p_value, result.ties) == (0.0, 1.0, 100)
    assert -0.05 < result.ci_low < 0 < result.ci_high < 0.05


def test_equal_changes_everywhere_are_tested_by_their_signs():
    result = paired_comparison(scores(*[0.25] * 12), scores(*[0.5] * 12), scale="continuous")
    assert (result.test, result.p_value) == ("sign_exact", pytest.approx(2 / 2**12))
    assert (result.ci_low, result.ci_high) == (0.25, 0.25)


def test_what_one_side_lacks_is_missing_and_not_zero():
    result = paired_comparison(
        {"a": 1.0, "b": 1.0, "c": 0.0},
        {"a": 1.0, "c": 1.0, "d": 0.0},
        scale="binary",
        examples=["a", "b", "c", "d", "e"],
    )
    assert (result.n, result.missing, result.missing_in_baseline, result.missing_in_candidate) == (2, 3, 2, 2)
    assert (result.baseline_mean, result.candidate_mean) == (0.5, 1.0)


def test_where_lower_is_better_a_fall_is_a_win():
    result = paired_comparison(scores(9, 8, 7), scores(5, 8, 9), scale="continuous", direction="lower")
    assert (result.wins, result.ties, result.losses) == (1, 1, 1)
    assert result.difference == pytest.approx(-2 / 3)


def test_repetitions_count_an_example_once():
    once = paired_comparison(
        scores(*range(40)), scores(*[v + (v % 3) for v in range(40)]), scale="continuous", seed=7
    )
    thrice = paired_comparison(
        {key: [value] * 3 for key, value in scores(*range(40)).items()},
        {key: [value] * 3 for key, value in scores(*[v + (v % 3) for v in range(40)]).items()},
        scale="continuous",
        seed=7,
    )
    assert (thrice.n, thrice.ci_low, thrice.ci_high, thrice.p_value) == (
        40,
        once.ci_low,
        once.ci_high,
        once.p_value,
    )
    assert thrice.baseline.n == 120
    assert thrice.baseline.clusters == 40
    assert "averaged" in thrice.reason


def test_repeated_binary_scores_are_compared_as_rates():
    baseline = {f"e{i}": [float(i % 2), float(i % 3 == 0)] for i in range(60)}
    candidate = {f"e{i}": [1.0, float(i % 5 == 0)] for i in range(60)}
    result = paired_comparison(baseline, candidate, scale="binary")
    assert result.test == "bootstrap_bca"
    assert result.candidate.method == "wilson_clustered"


def test_a_seed_fixes_the_bootstrap():
    baseline, candidate = scores(*[i % 7 for i in range(50)]), scores(*[i % 5 for i in range(50)])
    results = [paired_comparison(baseline, candidate, scale="continuous", seed=seed) for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]


def test_the_order_of_examples_does_not_matter():
    baseline, candidate = scores(*[i % 7 for i in range(50)]), scores(*[i % 5 for i in range(50)])
    shuffled = dict(reversed(list(candidate.items())))
    assert paired_comparison(baseline, candidate, scale="continuous") == paired_comparison(
        baseline, shuffled, scale="continuous"
    )


def test_averaging_does_not_turn_ties_into_wins():
    result = paired_comparison(
        {"a": [0.1, 0.2, 0.3], "b": 1.0}, {"a": [0.3, 0.2, 0.1], "b": 1.0}, scale="continuous"
    )
    assert (result.ties, result.difference) == (2, 0.0)


def test_groups_of_examples_widen_the_interval_when_they_go_together():
    keys = [f"e{i:03}" for i in range(200)]
    baseline = dict.fromkeys(keys, 0.0)
    candidate = {key: float((i // 20) % 2) + (i % 3) * 0.01 for i, key in enumerate(keys)}
    groups = {key: i // 20 for i, key in enumerate(keys)}
    alone = paired_comparison(baseline, candidate, scale="continuous")
    grouped = paired_comparison(baseline, candidate, scale="continuous", clusters=groups)
    assert grouped.test == "clustered_t"
    assert grouped.ci_high - grouped.ci_low > 2 * (alone.ci_high - alone.ci_low)


def test_one_group_alone_cannot_be_tested():
    result = paired_comparison(
        scores(1, 2, 3), scores(2, 4, 3), scale="continuous", clusters=dict.fromkeys(scores(1, 2, 3), "all")
    )
    assert (result.p_value, result.ci_low, result.difference) == (None, None, 1.0)


def test_a_hundred_thousand_pairs_use_t():
    result = paired_comparison(
        scores(*[i % 100 for i in range(100_000)]),
        scores(*[(i * 7) % 101 for i in range(100_000)]),
        scale="continuous",
    )
    assert (result.n, result.test, result.interval) == (100_000, "paired_t", "t")


@pytest.mark.parametrize(
    ("values", "binary", "mean", "has_interval"),
    [
        ([], True, None, False),
        ([0.4], False, 0.4, False),
        ([1.0], True, 1.0, True),
        ([0.5, 0.5], False, 0.5, True),
    ],
)
def test_means_of_few_values(values, binary, mean, has_interval):
    interval = mean_interval(values, binary=binary)
    assert interval.mean == mean
    assert (interval.low is not None) == (interval.high is not None) == has_interval
    assert bool(interval.method) == has_interval


def test_values_called_binary_that_are_not_have_a_plain_interval():
    interval = mean_interval([0.0, 1.0, 7.0], binary=True)
    assert interval.method == "t"
    assert interval.low < interval.mean < interval.high


def test_a_mean_of_perfect_repeated_answers_is_not_certain():
    interval = mean_interval([1.0] * 30, binary=True, clusters=[i // 3 for i in range(30)])
    assert (interval.mean, interval.clusters) == (1.0, 10)
    assert interval.low == pytest.approx(0.722, abs=0.001)


def test_importing_the_statistics_loads_neither_numpy_nor_scipy():
    program = (
        "import sys, apps.evaluations.statistics, apps.evaluations.evaluators, apps.evaluations.charts;"
        "heavy = {'numpy', 'scipy', 'torch', 'sacrebleu', 'rouge_score', 'plotly'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
