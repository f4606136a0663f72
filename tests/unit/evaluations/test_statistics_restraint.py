"""Figures never say more than the data hold: rounding, groups, ties at zero, huge values, tiny corpora."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from apps.evaluations.comparing.shared_metrics import _posted, shared_of
from apps.evaluations.comparisons.verdict import tone_of, verdict
from apps.evaluations.comparisons.words import p_value, typed
from apps.evaluations.statistics import mean_interval, paired_comparison
from apps.evaluations.statistics.continuous import bootstrap_bca, clustered_t
from apps.evaluations.statistics.corpus import corpus_difference, resampled_run
from apps.evaluations.statistics.paired import PairedResult
from apps.evaluations.statistics.power import examples_needed
from apps.evaluations.statistics.samples import Sample
from apps.evaluations.statistics.worst_case import worst_case


def scores(values: object) -> dict[str, float]:
    return {f"e{place:05}": float(value) for place, value in enumerate(np.asarray(values).tolist())}


def grouped(changes: list[float], groups: list[int], *, scale: str = "continuous") -> PairedResult:
    labels = {f"e{place:05}": group for place, group in enumerate(groups)}
    return paired_comparison(scores([0.0] * len(changes)), scores(changes), scale=scale, clusters=labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_changes_that_differ_by_rounding_alone_are_equal_changes(n: int) -> None:
    """0.3 - 0.2 and 0.4 - 0.3 are not the same float; no spread is to be measured by that."""
    base = np.arange(2, 2 + n) / 10
    found = paired_comparison(scores(base), scores(np.arange(3, 3 + n) / 10), scale="continuous")
    assert (found.test, found.p_value) == ("sign_exact", pytest.approx(2 / 2**n))


class TestGroupsWithoutSpreadBetweenThem:
    @pytest.mark.parametrize(
        ("changes", "scale"),
        [
            ([1, 1, 1, 1], "continuous"),
            ([1, 1, 1, 1], "binary"),
            ([1, 0, 0, 1], "binary"),
            ([0.1, 0.1, 0.1, 0.1], "continuous"),
        ],
    )
    def test_only_the_signs_of_the_groups_are_tested(self, changes: list[float], scale: str) -> None:
        found = grouped(changes, [0, 0, 1, 1], scale=scale)
        assert (found.test, found.p_value) == ("sign_exact", 0.5)
        assert found.ci_low == found.ci_high == pytest.approx(found.difference)

    def test_changes_that_cancel_in_each_group_leave_the_interval_open(self) -> None:
        found = grouped([1, -1, 1, -1], [0, 0, 1, 1])
        assert (found.ci_low, found.ci_high, found.p_value, found.wins) == (None, None, None, 2)

    def test_the_same_scores_everywhere_stay_the_same(self) -> None:
        found = grouped([0, 0, 0, 0], [0, 0, 1, 1])
        assert (found.ci_low, found.ci_high, found.p_value) == (0.0, 0.0, 1.0)


def test_the_bootstrap_and_its_interval_agree_where_resamples_tie_at_zero() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        n, repetitions = int(rng.integers(10, 60)), int(rng.choice([1, 2, 3, 5]))
        changes = rng.integers(-repetitions, repetitions + 1, n) / repetitions
        changes[rng.random(n) < rng.random()] = 0
        changes[(changes < 0) & (rng.random(n) < 0.5)] = 0
        if changes.max() == changes.min():
            continue
        found = bootstrap_bca(changes, seed=20260101)
        assert found.low is not None
        assert found.high is not None
        assert found.p_value is not None
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
        assert not 0 < min(abs(found.low), abs(found.high)) < 1e-9


@pytest.mark.parametrize("n", [1, 2, 5, 30, 2_500])
@pytest.mark.parametrize("size", [1e60, 1e150, 1e308])
def test_very_large_scores_leave_every_figure_finite(n: int, size: float) -> None:
    rng = np.random.default_rng(2)
    base, cand = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
    for scale in ("continuous", "ordinal", "binary"):
        found = paired_comparison(scores(base * size), scores(cand * size), scale=scale)
        json.dumps(dataclasses.asdict(found), allow_nan=False)
    json.dumps(dataclasses.asdict(mean_interval(base * size, binary=False)), allow_nan=False)


def test_a_difference_of_shares_is_no_larger_than_all() -> None:
    base = {"a": [1.0, 0.0], "b": [0.0, 0.0], "c": [0.0, 0.0]}
    cand = {"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [0.0, 0.0]}
    for clusters in (None, {"a": 0, "b": 0, "c": 1}):
        found = paired_comparison(base, cand, scale="binary", clusters=clusters)
        assert found.ci_low is not None
        assert found.ci_high is not None
        assert -1 <= found.ci_low < 0 < found.ci_high <= 1


def _rate(sums: np.ndarray) -> dict[str, float | None]:
    return {"rate": float(sums[0] / sums[1]) if sums[1] else None}


@pytest.mark.parametrize(("n", "sure"), [(2, False), (5, False), (6, True), (40, True)])
def test_a_figure_of_a_few_examples_is_no_surer_than_swapping_the_runs_allows(n: int, sure: bool) -> None:
    """Each of n examples may be swapped between equal runs: nothing is rarer than 2 of 2**n."""
    right, wrong = np.ones((n, 2)), np.array([[0.0, 1.0]] * n)
    found = corpus_difference(resampled_run(wrong, _rate), resampled_run(right, _rate), "rate")
    assert found.p_value is not None
    assert found.p_value >= 2 / 2**n
    assert (found.p_value < 0.05) is sure


def test_a_size_too_small_to_reckon_with_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        examples_needed(spread=1.0, difference=1e-300)


def test_posted_scores_are_shares_only_where_they_are_so_in_both_runs() -> None:
    base, cand = (_posted(("rating", "human"), np.array(values)) for values in ([1.0, 1.0], [4.0, 1.0]))
    (found,) = shared_of([base], [cand])
    assert (found.scale, found.low, found.high) == ("continuous", None, None)
    (found,) = shared_of([base], [base])
    assert (found.scale, found.low, found.high) == ("binary", 0.0, 1.0)


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_no_filling_of_what_is_missing_is_worse_than_the_worst_case(direction: str) -> None:
    """Brute force: every filling by 0 or 1 of what either side lacks."""
    base, cand = np.array([0, 1, np.nan, 1, np.nan, 0.0]), np.array([1, np.nan, 0, 1, np.nan, np.nan])
    one = [Sample(np.arange(6), values) for values in (base, cand)]
    found = worst_case(
        *one,
        within=np.ones(6, dtype=bool),
        scale="binary",
        direction=direction,  # type: ignore[arg-type]
        low=0.0,
        high=1.0,
    )
    places = [(side, place) for side in (0, 1) for place in np.flatnonzero(np.isnan((base, cand)[side]))]
    differences = []
    for number in range(2 ** len(places)):
        filled = [base.copy(), cand.copy()]
        for bit, (side, place) in enumerate(places):
            filled[side][place] = number >> bit & 1
        differences.append(float((filled[1] - filled[0]).mean()))
    assert found is not None
    worst = max(differences) if direction == "lower" else min(differences)
    assert found.result.difference == pytest.approx(worst)


def test_the_worst_case_reaches_beyond_the_scale_where_scores_do() -> None:
    found = worst_case(
        Sample(np.arange(3), np.array([0.5, 0.6, 1.4])),
        Sample(np.arange(3), np.array([-0.5, 0.6, np.nan])),
        within=np.ones(3, dtype=bool),
        scale="continuous",
        direction="higher",
        low=0.0,
        high=1.0,
    )
    assert found is not None
    assert (found.worst, found.best) == (-0.5, 1.4)


@pytest.mark.parametrize("scale", ["binary", "continuous", "ordinal"])
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_a_sentence_is_never_stronger_than_interval_and_corrected_test(scale: str, direction: str) -> None:
    rng = np.random.default_rng(3)
    said = set()
    for _ in range(120):
        n, steps = int(rng.integers(1, 40)), 1 if scale == "binary" else int(rng.choice([2, 5, 1000]))
        base = rng.integers(0, steps + 1, n) / steps
        low, high = sorted(rng.integers(0, steps + 1, 2))
        cand = np.where(rng.random(n) < rng.random(), base, rng.integers(low, high + 1, n) / steps)
        groups = {f"e{place:05}": int(rng.integers(0, 8)) for place in range(n)}
        found = paired_comparison(
            scores(base),
            scores(cand),
            scale=scale,  # type: ignore[arg-type]
            direction=direction,  # type: ignore[arg-type]
            clusters=groups if rng.random() < 0.3 else None,
            resamples=999,
        )
        tests = int(rng.choice([1, 1, 5]))
        metric = dataclasses.asdict(found) | {
            "title": "T",
            "scale": scale,
            "direction": direction,
            "unit": "",
            "p_adjusted": None if found.p_value is None else min(1.0, tests * found.p_value),
        }
        answer = verdict(metric, candidate="B", baseline="A")
        said.add(answer.tone)
        bottom, top, p = found.ci_low, found.ci_high, metric["p_adjusted"]
        clear = bottom is not None and top is not None and not bottom <= 0 <= top
        clear = clear and p is not None and p < 0.05
        assert (answer.tone != "open") == clear
        assert (f"B is {answer.tone}" in answer.headline) == clear
        if clear:
            assert bottom is not None
            assert answer.tone == ("better" if (bottom > 0) == (direction == "higher") else "worse")
        if "in each of" in answer.headline:
            assert found.wins + found.losses == 0
    assert said == {"better", "worse", "open"}


def test_an_interval_on_the_other_side_than_the_difference_decides_nothing() -> None:
    """Resampled percentiles can leave out the figure itself."""
    metric = {
        "title": "F1",
        "scale": "continuous",
        "direction": "higher",
        "unit": "",
        "level": "run",
        "n": 100,
        "missing": 0,
        "difference": -0.01,
        "ci_low": 0.002,
        "ci_high": 0.05,
        "p_value": 0.004,
        "p_adjusted": 0.004,
    }
    assert tone_of(metric) == "open"
    assert verdict(metric, candidate="B", baseline="A").mark == "unsure"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0496, "0.0496"), (0.04998, "0.04998"), (0.0504, "0.0504"), (0.05, "0.050"), (0.0031507, "0.003")],
)
def test_a_p_value_reads_on_the_side_of_the_level_that_it_is_on(value: float, text: str) -> None:
    assert p_value(value) == text


@pytest.mark.parametrize("text", ["1e-300", "nan", "inf", "-inf", "0", "1e13"])
def test_a_size_that_cannot_be_reckoned_with_is_not_taken(text: str) -> None:
    assert typed({"scale": "continuous", "unit": ""}, text) is None


@pytest.mark.parametrize(("examples", "repetitions"), [(4, 20), (5, 20), (8, 10)])
def test_few_examples_repeated_often_do_not_look_like_many(examples: int, repetitions: int) -> None:
    rng = np.random.default_rng(6)
    units, covered = np.repeat(np.arange(examples), repetitions), 0
    for _ in range(500):
        rates = rng.beta(2, 2, examples)
        values = (rng.random(units.size) < rates[units]).astype(float)
        found = mean_interval(values, binary=True, clusters=units)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
    assert covered / 500 >= 0.93


def test_the_clustered_error_is_that_of_leaving_each_group_out() -> None:
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(6), [30, 1, 4, 9, 2, 2])
    changes = rng.normal(size=groups.size)
    left_out = np.array([changes[groups != group].mean() for group in range(6)])
    expected = np.sqrt(5 / 6 * ((left_out - changes.mean()) ** 2).sum())
    assert clustered_t(changes, groups).standard_error == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [[90, *[1] * 10], [200, *[1] * 100], [10] * 4])
def test_one_large_group_does_not_make_equal_runs_look_different(sizes: list[int]) -> None:
    """As where most examples lack a value of the column, or share one."""
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    found = [clustered_t(rng.normal(size=groups.size), groups).p_value for _ in range(500)]
    assert sum(p is not None and p < 0.05 for p in found) / 500 <= 0.08


@pytest.mark.parametrize("n", [10, 20, 40, 60])
def test_few_pairs_of_equal_runs_are_not_called_different_too_often(n: int) -> None:
    rng = np.random.default_rng(10)
    found = []
    for _ in range(300):
        base, cand = rng.exponential(1.0, (2, n))
        result = paired_comparison(scores(base), scores(cand), scale="continuous", resamples=999)
        found.append(result.p_value is not None and result.p_value < 0.05)
    assert np.mean(found) <= 0.08


@pytest.mark.parametrize("n", [8, 10, 20])
def test_figures_of_few_examples_do_not_make_equal_runs_look_different(n: int) -> None:
    rng = np.random.default_rng(12)
    found = []
    for _ in range(300):
        lengths = rng.integers(1, 20, n)
        runs = [
            resampled_run(np.c_[rng.binomial(lengths, 0.5), lengths].astype(float), _rate) for _ in range(2)
        ]
        result = corpus_difference(runs[0], runs[1], "rate")
        found.append(result.p_value is not None and result.p_value < 0.05)
    assert np.mean(found) <= 0.08


def test_the_worst_case_fills_the_repetitions_that_lack_a_score() -> None:
    """The candidate lacks one of three scores of the first example, the baseline two of the second."""
    found = worst_case(
        Sample(np.array([0, 0, 0, 1]), np.array([1.0, 1.0, 0.0, 0.0])),
        Sample(np.array([0, 0, 1, 1, 1]), np.array([1.0, 1.0, 1.0, 1.0, 0.0])),
        within=np.ones(2, dtype=bool),
        scale="binary",
        direction="higher",
        low=0.0,
        high=1.0,
        expected=(np.array([3, 3]), np.array([3, 3])),
    )
    assert found is not None
    assert found.filled == 2
    assert (found.result.baseline_mean, found.result.candidate_mean) == pytest.approx((2 / 3, 2 / 3))
