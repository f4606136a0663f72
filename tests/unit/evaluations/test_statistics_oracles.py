"""The statistics give the figures that others have published or computed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from apps.evaluations.statistics import holm, mean_interval, paired_comparison
from apps.evaluations.statistics.binary import (
    PairedCounts,
    bonett_price_interval,
    mcnemar_chi_squared,
    mcnemar_exact,
    mcnemar_midp,
)
from apps.evaluations.statistics.continuous import bootstrap_bca, clustered_t, paired_t
from apps.evaluations.statistics.intervals import wilson_interval

REAL = Path(os.environ.get("LLMOPS_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def six(value: float) -> object:
    """Equal to six significant digits, or to one part in two of the last digit that was published."""
    return pytest.approx(value, rel=5e-6)


@pytest.fixture(scope="module")
def solved() -> dict[str, dict[str, float]]:
    path = REAL / "gsm8k" / "example_model_solutions.jsonl"
    if not path.exists():
        pytest.skip("the GSM8K solutions are not here")
    systems = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {name: {str(i): float(row[name]["is_correct"]) for i, row in enumerate(rows)} for name in systems}


@pytest.mark.real_data
class TestGsm8k:
    def test_each_system_solves_what_it_should(self, solved):
        right = {name: sum(values.values()) for name, values in solved.items()}
        assert right == {
            "6b_finetuning": 286,
            "6b_verification": 515,
            "175b_finetuning": 458,
            "175b_verification": 742,
        }

    def test_verification_against_fine_tuning(self, solved):
        result = paired_comparison(solved["175b_finetuning"], solved["6b_verification"], scale="binary")
        assert (result.n, result.missing, result.wins, result.losses) == (1319, 0, 209, 152)
        assert result.ties == 306 + 652
        assert result.difference == six(0.0432146)
        assert result.standard_error == six(0.0143611)
        low, high = result.other_intervals["normal"]
        assert (low, high) == (six(0.0150669), six(0.0713623))
        assert result.other_tests["mcnemar_exact"] == six(0.00315066)
        assert result.other_tests["mcnemar_chi_squared"] == pytest.approx(0.0026998, abs=5e-8)
        assert result.other_tests["paired_t"] == pytest.approx(0.0026696, abs=5e-8)
        assert result.test == "mcnemar_midp"
        assert (round(result.ci_low * 100, 1), round(result.ci_high * 100, 1)) == (1.5, 7.1)
        assert round(result.p_value, 3) == 0.003
        assert mcnemar_chi_squared(PairedCounts(306, 209, 152, 652))[0] == pytest.approx(9.0, abs=5e-4)

    def test_the_best_system_beats_the_larger_fine_tuned_one(self, solved):
        result = paired_comparison(solved["175b_finetuning"], solved["175b_verification"], scale="binary")
        assert result.ci_low > 0.15
        assert result.p_value < 1e-20


@pytest.mark.parametrize(
    ("counts", "exact", "midp"),
    [
        # Fagerland, Lydersen & Laake 2013, tables 1 and 2
        (PairedCounts(both=1, only_candidate=7, only_baseline=1, neither=12), 0.070, 0.039),
        (PairedCounts(both=59, only_candidate=16, only_baseline=6, neither=80), 0.052, 0.035),
    ],
)
def test_mcnemar_as_published(counts, exact, midp):
    assert mcnemar_exact(counts) == pytest.approx(exact, abs=5e-4)
    assert mcnemar_midp(counts) == pytest.approx(midp, abs=5e-4)


def test_mcnemar_as_statsmodels_documents_it():
    corrected = mcnemar_chi_squared(PairedCounts(101, 121, 59, 33), continuity_correction=True)
    assert corrected == (six(20.67222), six(5.450095e-6))
    assert mcnemar_exact(PairedCounts(101, 70, 59, 33)) == six(0.378688)


def test_mcnemar_agrees_with_statsmodels_on_many_tables():
    from statsmodels.stats.contingency_tables import mcnemar

    for up, down in [(0, 1), (3, 3), (5, 12), (40, 22), (300, 251)]:
        counts, table = PairedCounts(10, up, down, 10), [[10, up], [down, 10]]
        assert mcnemar_exact(counts) == pytest.approx(mcnemar(table, exact=True).pvalue)
        plain = mcnemar(table, exact=False, correction=False)
        assert mcnemar_chi_squared(counts) == (pytest.approx(plain.statistic), pytest.approx(plain.pvalue))


def test_wilson_agrees_with_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for successes, n in [(0, 5), (5, 5), (1, 1), (121, 198), (1, 100_000)]:
        assert wilson_interval(successes / n, n) == pytest.approx(
            proportion_confint(successes, n, method="wilson")
        )


def test_the_adjusted_wald_interval_follows_its_formula():
    counts = PairedCounts(both=59, only_candidate=16, only_baseline=6, neither=80)
    better, worse, n = 17 / 163, 7 / 163, 163
    half = 1.959963984540054 * ((better + worse - (better - worse) ** 2) / n) ** 0.5
    assert bonett_price_interval(counts) == pytest.approx((better - worse - half, better - worse + half))


def test_paired_t_agrees_with_scipy():
    differences = np.random.default_rng(1).normal(0.2, 1.0, 60)
    expected = stats.ttest_1samp(differences, 0.0)
    ours = paired_t(differences)
    assert ours.p_value == pytest.approx(expected.pvalue)
    assert (ours.low, ours.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_the_bootstrap_agrees_with_scipy_on_skewed_scores():
    differences = np.random.default_rng(2).exponential(1.0, 80) - 0.8
    expected = stats.bootstrap(
        (differences,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(3)
    ).confidence_interval
    ours = bootstrap_bca(differences, seed=4, resamples=20_000)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=0.012)


def test_the_bootstrap_p_value_is_below_five_per_cent_exactly_when_the_interval_leaves_out_zero():
    rng = np.random.default_rng(5)
    for _ in range(60):
        ours = bootstrap_bca(rng.exponential(1.0, 40) - rng.uniform(0.5, 1.5), seed=1, resamples=1_999)
        if abs(ours.p_value - 0.05) > 0.004:
            assert (ours.p_value < 0.05) == (ours.low > 0 or ours.high < 0)


def test_the_clustered_error_agrees_with_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(25), 8)
    differences = rng.normal(0.1, 1.0, 200) + np.repeat(rng.normal(0, 0.5, 25), 8)
    fit = sm.OLS(differences, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}, use_t=True
    )
    ours = clustered_t(differences, list(groups))
    half = stats.t.ppf(0.975, 24) * fit.bse[0] * (25 / 24) ** 0.5
    assert ours.high - ours.low == pytest.approx(2 * half)


def test_holm_agrees_with_statsmodels_and_skips_the_unknown():
    from statsmodels.stats.multitest import multipletests

    p_values = [0.01, 0.04, 0.03, 0.005, 0.9]
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert holm([]) == []


def test_clustered_proportions_fall_back_to_the_plain_ones_without_repetition():
    values = [1.0, 0.0, 1.0, 1.0]
    assert mean_interval(values, binary=True, clusters=["a", "b", "c", "d"]) == mean_interval(
        values, binary=True
    )
