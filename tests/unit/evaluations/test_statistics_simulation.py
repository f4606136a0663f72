"""Under no difference the tests reject about one time in twenty, and intervals cover the truth about 19
times.
"""

from __future__ import annotations

import numpy as np
import pytest

from apps.evaluations.statistics.binary import PairedCounts, bonett_price_interval, mcnemar_midp
from apps.evaluations.statistics.continuous import bootstrap_bca, clustered_t, paired_t
from apps.evaluations.statistics.intervals import mean_interval
from apps.evaluations.statistics.preferences import preference

DRAWS = 2_000


def shares(outcomes: list[tuple[bool, bool]]) -> tuple[float, float]:
    """The share of draws that rejected, and the share whose interval covered the truth."""
    rejected, covered = zip(*outcomes, strict=True)
    return sum(rejected) / len(rejected), sum(covered) / len(covered)


@pytest.mark.parametrize(("n", "up", "down"), [(200, 0.15, 0.15), (400, 0.1, 0.1), (1000, 0.05, 0.05)])
def test_mcnemar_midp_and_its_interval_hold_their_level(n, up, down):
    rng = np.random.default_rng(20_260_101)
    outcomes = []
    for gained, lost, same in rng.multinomial(n, [up, down, 1 - up - down], size=DRAWS):
        counts = PairedCounts(0, int(gained), int(lost), int(same))
        low, high = bonett_price_interval(counts)
        outcomes.append((mcnemar_midp(counts) < 0.05, low <= 0 <= high))
    rejected, covered = shares(outcomes)
    assert 0.03 <= rejected <= 0.07
    assert 0.93 <= covered <= 0.97


def test_the_interval_of_paired_proportions_covers_a_real_difference():
    rng = np.random.default_rng(2)
    draws = rng.multinomial(300, [0.25, 0.1, 0.65], size=DRAWS)
    intervals = [
        bonett_price_interval(PairedCounts(0, int(up), int(down), int(same))) for up, down, same in draws
    ]
    assert 0.93 <= sum(low <= 0.15 <= high for low, high in intervals) / DRAWS <= 0.97


def test_paired_t_holds_its_level_on_skewed_scores():
    rng = np.random.default_rng(3)
    results = [paired_t(rng.exponential(1.0, 200) - 1.0) for _ in range(DRAWS)]
    rejected, covered = shares([(r.p_value < 0.05, r.low <= 0 <= r.high) for r in results])
    assert 0.03 <= rejected <= 0.07
    assert 0.93 <= covered <= 0.97


def test_the_bootstrap_holds_its_level_on_skewed_scores():
    rng = np.random.default_rng(4)
    results = [bootstrap_bca(rng.exponential(1.0, 200) - 1.0, seed=i, resamples=999) for i in range(DRAWS)]
    rejected, covered = shares([(r.p_value < 0.05, r.low <= 0 <= r.high) for r in results])
    assert 0.03 <= rejected <= 0.07
    assert 0.93 <= covered <= 0.97


def test_the_clustered_test_holds_its_level_where_examples_go_together():
    rng = np.random.default_rng(5)
    groups = list(np.repeat(np.arange(40), 5))
    results = [
        clustered_t(rng.normal(0, 1, 200) + np.repeat(rng.normal(0, 1, 40), 5), groups) for _ in range(DRAWS)
    ]
    rejected, covered = shares([(r.p_value < 0.05, r.low <= 0 <= r.high) for r in results])
    assert 0.03 <= rejected <= 0.07
    assert 0.93 <= covered <= 0.97


def test_intervals_of_a_mean_cover_it():
    rng = np.random.default_rng(6)
    proportions = [mean_interval(rng.binomial(1, 0.3, 200), binary=True) for _ in range(DRAWS)]
    repeated = [
        mean_interval(
            rng.binomial(1, np.repeat(rng.beta(1, 2, 100), 4)),
            binary=True,
            clusters=[i // 4 for i in range(400)],
        )
        for _ in range(DRAWS)
    ]
    assert 0.93 <= sum(m.low <= 0.3 <= m.high for m in proportions) / DRAWS <= 0.97
    assert 0.93 <= sum(m.low <= 1 / 3 <= m.high for m in repeated) / DRAWS <= 0.97


def test_win_rates_hold_their_level_where_three_people_vote_on_an_example():
    """Half of the examples are better in one system, half in the other; people see it four times of five."""
    rng = np.random.default_rng(7)
    examples = np.repeat(np.arange(200), 3)
    outcomes = []
    for _ in range(DRAWS):
        better = np.repeat(rng.integers(0, 2, 200), 3)
        votes = np.where(rng.random(600) < 0.8, better, 1 - better).astype(float)
        found = preference(votes, examples)
        outcomes.append((found.p_value < 0.05, found.win_rate.low <= 0.5 <= found.win_rate.high))
    rejected, covered = shares(outcomes)
    assert 0.03 <= rejected <= 0.07
    assert 0.93 <= covered <= 0.97
