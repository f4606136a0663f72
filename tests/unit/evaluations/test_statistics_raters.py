"""Agreement of raters, judges against people, and means corrected by people: figures of other programs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.evaluations.statistics.against_people import confusion, numbers, rate
from apps.evaluations.statistics.agreement import (
    cohens_kappa,
    fleiss_kappa,
    krippendorffs_alpha,
    percent_agreement,
    slots,
)
from apps.evaluations.statistics.prediction_powered import corrected_mean
from tests.real_data import REAL

NAN = float("nan")
#: Fourteen raters put ten things into five categories: the worked example of the encyclopedia's article.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
#: Four observers, twelve units: the worked example of Krippendorff 2011, Computing Krippendorff's
#: Alpha-Reliability, sections C to E, with its alphas.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def table_of(counts: list[list[int]]) -> NDArray[np.float64]:
    """A table of raters by units from how many put each unit into each category."""
    units = [[category for category, times in enumerate(row) for _ in range(times)] for row in counts]
    return np.array(units, dtype=float).T


def _kappa(shares: NDArray[np.float64]) -> float:
    table = shares.reshape(3, 3)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return (float(np.trace(table)) - expected) / (1 - expected)


class TestRaters:
    def test_fleiss_as_in_the_textbook(self) -> None:
        found = fleiss_kappa(table_of(FLEISS))
        assert (found.value, found.units, found.raters) == (pytest.approx(0.210, abs=5e-4), 10, 14)
        assert found.low is not None
        assert found.high is not None
        assert found.low < 0.21 < found.high

    def test_the_jackknife_in_closed_form_is_the_one_of_leaving_units_out(self) -> None:
        table = table_of(FLEISS)
        left_out = [fleiss_kappa(np.delete(table, unit, axis=1)).value for unit in range(10)]
        values = np.array(left_out, dtype=float)
        error = np.sqrt(9 / 10 * ((values - values.mean()) ** 2).sum())
        assert fleiss_kappa(table).standard_error == pytest.approx(error)

    @pytest.mark.parametrize(
        ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
    )
    def test_alpha_as_krippendorff_works_it_out(self, level: str, alpha: float) -> None:
        found = krippendorffs_alpha(KRIPPENDORFF, level)  # type: ignore[arg-type]
        assert found.value == pytest.approx(alpha, abs=6e-4)
        assert found.units == 11  # the twelfth was rated once
        assert found.low is not None
        assert found.high is not None
        assert found.low <= alpha + 6e-4
        assert found.high >= alpha - 6e-4

    def test_raters_who_rate_different_things_are_compared_on_what_both_rated(self) -> None:
        table = np.array([[0, 1, 1, NAN, 0, 1], [0, 1, 0, 1, NAN, 1]], dtype=float)
        found = cohens_kappa(table)
        alone = cohens_kappa(table[:, [0, 1, 2, 5]])
        assert found == alone
        assert found.units == 4
        assert percent_agreement(table).value == pytest.approx(0.75)

    def test_the_standard_error_of_cohen_is_that_of_the_delta_method(self) -> None:
        """Two hundred cases and three diagnoses, as in Fleiss, Cohen & Everitt 1969."""
        counts = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
        pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(counts[i, j])]
        found = cohens_kappa(np.array(pairs, dtype=float).T)
        shares = counts.ravel() / 200
        slopes = np.array([_kappa(shares + step) - _kappa(shares - step) for step in np.eye(9) * 1e-6]) / 2e-6
        error = np.sqrt(((slopes**2) @ shares - (slopes @ shares) ** 2) / 200)
        assert found.value == pytest.approx(0.429, abs=5e-4)
        assert found.standard_error == pytest.approx(error, rel=1e-4)

    def test_steps_far_apart_weigh_more(self) -> None:
        one = [1.0, 2, 3, 4, 5, 1, 5]
        near = cohens_kappa(np.array([one, [2, 2, 3, 4, 4, 1, 5]]), weighted=True).value
        far = cohens_kappa(np.array([one, [5, 2, 3, 4, 1, 1, 5]]), weighted=True).value
        assert near is not None
        assert far is not None
        assert near > 0.8 > far

    def test_where_nothing_can_be_said_there_is_none(self) -> None:
        nobody = np.full((2, 3), NAN)
        same = np.ones((2, 4))
        for table in (nobody, same):
            assert cohens_kappa(table).value is None
            assert fleiss_kappa(table).value is None
            assert krippendorffs_alpha(table, "nominal").value is None
        assert percent_agreement(nobody).value is None
        assert percent_agreement(same).value == 1.0
        assert slots(np.array([[NAN, 1], [2, NAN], [NAN, NAN]])).tolist() == [[2, 1]]

    @pytest.mark.real_data
    def test_the_annotators_of_pandalm_agree_as_published(self) -> None:
        path = REAL / "pandalm" / "testset-v1.json"
        if not path.exists():
            pytest.skip("the PandaLM annotations are not here")
        rows = json.loads(path.read_text())
        table = np.array([[row[f"annotator{number}"] for row in rows] for number in (1, 2, 3)], dtype=float)
        pairs = [cohens_kappa(table[list(two)]).value for two in ((0, 1), (0, 2), (1, 2))]
        assert pairs == [pytest.approx(value, abs=5e-7) for value in (0.852023, 0.878944, 0.861661)]
        assert fleiss_kappa(table).value == pytest.approx(0.864175, abs=5e-7)
        alpha = krippendorffs_alpha(table, "nominal")
        assert alpha.value == pytest.approx(0.864221, abs=5e-7)


class TestAgainstPeople:
    def test_a_matrix_with_rates_and_their_intervals(self) -> None:
        """40 yes and 60 no of people; the judge finds 30 of the 40 and wrongly 6 of the 60."""
        people = ["yes"] * 40 + ["no"] * 60
        judge = ["yes"] * 30 + ["no"] * 10 + ["yes"] * 6 + ["no"] * 54
        found = confusion(people, judge, ("no", "yes"))
        assert found.counts == [[54, 6], [10, 30]]
        yes = found.rates[1]
        assert (yes.true_positive.hits, yes.true_positive.n) == (30, 40)
        assert yes.true_positive.low == pytest.approx(0.5981, abs=1e-4)  # Wilson, as R's prop.test
        assert yes.true_positive.high == pytest.approx(0.8581, abs=1e-4)
        assert yes.false_positive.value == pytest.approx(0.1)
        assert found.kappa.value == pytest.approx(0.661, abs=5e-4)
        assert found.agreed.value == pytest.approx(0.84)
        assert rate(0, 0).value is None

    def test_numbers_on_one_scale(self) -> None:
        people = np.array([1.0, 2, 3, 4, 5, 3, 2, 4])
        found = numbers(people, people + 0.5)
        assert found.rank.value == pytest.approx(1.0)
        assert found.higher.value == pytest.approx(0.5)
        assert found.alpha.value is not None
        assert 0.8 < found.alpha.value < 1
        assert numbers(np.ones(5), people[:5]).rank.value is None


class TestCorrectedMeans:
    """Expected figures by ppi-python 0.2.3: ppi_mean_pointestimate and ppi_mean_ci(alpha=0.05)."""

    PEOPLE = "111111100001100101001000101001"
    JUDGE = "101101100001000101001001100011"
    ELSEWHERE = "010001111110110010100001001101010111101000001001100100010110"

    def test_as_ppi_python_has_it_for_yes_and_no(self) -> None:
        given = (np.array([float(one) for one in text]) for text in (self.PEOPLE, self.JUDGE, self.ELSEWHERE))
        found = corrected_mean(*given)
        assert found is not None
        assert (found.n, found.others) == (30, 60)
        assert found.value == pytest.approx(0.5132901941264311, abs=1e-12)
        assert (found.low, found.high) == pytest.approx((0.35763820243080785, 0.6689421858220543), abs=1e-12)

    def test_as_ppi_python_has_it_for_numbers(self) -> None:
        people = [4.26, 3.69, 2.67, 2.63, 2.75, 4.52, 2.57, 2.7, 3.35, 2.88, 2.8, 1.89]
        judge = [3.55, 2.99, 3.19, 2.9, 2.64, 4.05, 2.37, 3.15, 3.01, 3.02, 2.03, 2.31]
        elsewhere = [1.55, 1.27, 2.66, 2.18, 3.03, 4.7, 2.23, 2.4, 3.06, 3.29]
        elsewhere += [2.76, 2.74, 3.46, 3.32, 2.07, 2.84, 2.93, 2.06, 3.11, 2.21]
        found = corrected_mean(np.array(people), np.array(judge), np.array(elsewhere))
        assert found is not None
        assert found.value == pytest.approx(2.9638227856680004, abs=1e-12)
        assert (found.low, found.high) == pytest.approx((2.61254408348029, 3.315101487855711), abs=1e-12)

    def test_a_judge_that_says_the_opposite_is_not_relied_on(self) -> None:
        people, judge = np.array([1.0, 0, 1, 1, 0, 0]), np.array([0.0, 1, 0, 0, 1, 1])
        found = corrected_mean(people, judge, np.array([1.0, 0, 1, 1]))
        assert found is not None
        assert (found.value, found.weight) == (0.5, 0.0)
        assert (found.low, found.high) == pytest.approx((0.09992402697039077, 0.9000759730296093))
        alone = corrected_mean(people, judge, np.array([]))
        assert alone is not None
        assert (alone.value, alone.weight) == (0.5, 0.0)
        assert corrected_mean(people[:1], judge[:1], judge) is None

    def test_the_interval_holds_the_truth_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(3)
        held = narrower = 0
        for _ in range(400):
            truth = rng.random(600) < 0.7
            judge = np.where(rng.random(600) < 0.85, truth, ~truth).astype(float)
            found = corrected_mean(truth[:60].astype(float), judge[:60], judge[60:])
            alone = corrected_mean(truth[:60].astype(float), judge[:60], np.array([]))
            assert found is not None
            assert alone is not None
            held += found.low <= 0.7 <= found.high
            narrower += found.high - found.low < alone.high - alone.low
        assert 0.91 <= held / 400 <= 0.98
        assert narrower > 380
