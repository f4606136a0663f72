"""Preferences, power and whole corpora: the figures of textbooks and of other programs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from apps.evaluations.statistics.power import examples_needed, smallest_difference
from apps.evaluations.statistics.preferences import preference, share, strengths
from apps.evaluations.statistics.samples import Sample
from apps.evaluations.statistics.worst_case import worst_case

REAL = Path(os.environ.get("LLMOPS_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


class TestPower:
    def test_the_number_of_examples_agrees_with_statsmodels(self) -> None:
        from statsmodels.stats.power import NormalIndPower

        for effect in (0.05, 0.2, 0.5, 0.8):
            expected = NormalIndPower().solve_power(effect_size=effect, alpha=0.05, power=0.8, ratio=0)
            assert examples_needed(spread=1.0, difference=effect) == int(np.ceil(expected))

    def test_with_that_many_examples_the_difference_could_just_be_seen(self) -> None:
        n = examples_needed(spread=0.5, difference=-0.04)
        assert n == 1227
        assert smallest_difference(standard_error=0.5 / n**0.5) == pytest.approx(0.04, rel=1e-3)

    def test_four_times_as_many_show_half_the_difference(self) -> None:
        more = examples_needed(spread=1.0, difference=0.05)
        assert more == pytest.approx(4 * examples_needed(spread=1.0, difference=0.1), abs=4)

    def test_a_true_difference_of_that_size_is_found_four_times_in_five(self) -> None:
        rng = np.random.default_rng(9)
        difference = smallest_difference(standard_error=1 / 200**0.5)
        draws = rng.normal(difference, 1.0, (2_000, 200))
        found = np.abs(draws.mean(axis=1)) / (draws.std(axis=1, ddof=1) / 200**0.5) > 1.972
        assert 0.77 <= found.mean() <= 0.83

    @pytest.mark.parametrize(("spread", "difference"), [(1.0, 0.0), (-1.0, 0.1), (float("nan"), 0.1)])
    def test_what_makes_no_sense_is_refused(self, spread: float, difference: float) -> None:
        with pytest.raises(ValueError, match="other than zero"):
            examples_needed(spread=spread, difference=difference)


class TestWorstCase:
    BASE = Sample(np.arange(8), np.array([1.0, 1, 1, 1, 0, 0, 0, 0]))

    def test_what_the_candidate_lacks_is_lost_and_what_the_baseline_lacks_is_won_by_it(self) -> None:
        candidate = Sample(np.arange(2, 10), np.array([1.0, 1, 1, 1, 1, 1, 1, 1]))
        found = worst_case(
            self.BASE,
            candidate,
            within=np.ones(10, dtype=bool),
            scale="binary",
            direction="higher",
            low=0.0,
            high=1.0,
        )
        assert found is not None
        assert (found.filled, found.result.n, found.observed) == (4, 10, False)
        # Two rights of the baseline are lost, four wrongs gained, and the last two are right in both.
        assert found.result.difference == pytest.approx((4 - 2) / 10)

    def test_where_lower_is_better_the_worst_is_the_highest(self) -> None:
        found = worst_case(
            Sample(np.arange(4), np.array([3.0, 5.0, 4.0, 4.0])),
            Sample(np.arange(3), np.array([1.0, 2.0, 9.0])),
            within=np.ones(4, dtype=bool),
            scale="continuous",
            direction="lower",
            low=0.0,
            high=None,
        )
        assert found is not None
        assert (found.worst, found.best, found.observed) == (9.0, 0.0, True)
        assert found.result.difference == pytest.approx((-2 - 3 + 5 + 5) / 4)

    def test_a_row_that_a_run_was_never_given_says_nothing(self) -> None:
        within = np.arange(10) < 8
        assert (
            worst_case(
                self.BASE,
                self.BASE,
                within=within,
                scale="binary",
                direction="higher",
                low=0,
                high=1,
            )
            is None
        )


class TestPreferences:
    def test_one_vote_an_example_has_wilsons_interval(self) -> None:
        from statsmodels.stats.proportion import proportion_confint

        votes = [1.0] * 70 + [0.0] * 30
        found = share(votes, np.arange(100))
        assert (found.low, found.high) == pytest.approx(proportion_confint(70, 100, method="wilson"))

    def test_votes_that_go_together_count_as_one(self) -> None:
        alone, together = share([1.0, 0.0] * 10, np.arange(20)), share([1.0, 0.0] * 10, [0] * 10 + [1] * 10)
        assert (together.n, together.units, alone.units) == (20, 2, 20)
        assert together.high - together.low > alone.high - alone.low

    def test_the_test_is_of_examples_not_of_votes(self) -> None:
        from scipy import stats

        votes, examples = [1.0] * 30 + [0.0] * 6, [place // 3 for place in range(36)]
        found = preference(votes, examples)
        assert (found.wins, found.ties, found.losses) == (10, 0, 2)
        assert found.p_value == pytest.approx(stats.binomtest(10, 12).pvalue)

    def test_strengths_agree_with_the_classic_iteration(self) -> None:
        """Hunter's minorisation (2004), on the votes and the tie that is added to each pair."""
        rng = np.random.default_rng(3)
        first, second = rng.integers(0, 4, 900), rng.integers(0, 4, 900)
        first, second = first[first != second], second[first != second]
        true = np.array([1.0, 2.0, 0.5, 1.5])
        won = rng.random(first.size) < true[first] / (true[first] + true[second])
        votes = np.where(rng.random(first.size) < 0.1, 0.5, won.astype(float))
        wins = (1 - np.eye(4)) / 2
        np.add.at(wins, (first, second), votes)
        np.add.at(wins, (second, first), 1 - votes)
        strength = np.ones(4)
        for _ in range(5_000):
            together = (wins + wins.T) / (strength[:, None] + strength[None, :])
            strength = wins.sum(axis=1) / (together.sum(axis=1) - np.diag(together))
            strength /= np.exp(np.log(strength).mean())
        found = strengths(4, first, second, votes, np.arange(first.size), resamples=0)
        assert [one.value for one in found] == pytest.approx(list(strength / (1 + strength)), abs=1e-4)

    def test_their_interval_draws_examples_with_all_their_votes(self) -> None:
        rng = np.random.default_rng(4)
        votes = np.repeat((rng.random(40) < 0.6).astype(float), 10)
        first, second = np.zeros(400, dtype=int), np.ones(400, dtype=int)
        alone = strengths(2, first, second, votes, np.arange(400))[0]
        together = strengths(2, first, second, votes, np.repeat(np.arange(40), 10))[0]
        assert together.value == alone.value
        assert together.high - together.low > 2 * (alone.high - alone.low)

    def test_one_who_never_lost_is_strong_but_not_without_end_and_one_without_votes_is_unknown(self) -> None:
        found = strengths(3, np.zeros(20, dtype=int), np.full(20, 2), np.ones(20), np.arange(20))
        assert 0.8 < found[0].value < 1
        assert found[1].value is None
        assert found[2].value == pytest.approx(1 - found[0].value)


def corpora(size: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """References of 8 to 20 words, and two systems that lose some of them, the second fewer."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{number}" for number in range(60)])
    references, systems = [], [[], []]
    for _ in range(size):
        reference = rng.choice(words, rng.integers(8, 21))
        references.append(" ".join(reference))
        for texts, loss in zip(systems, (0.30, 0.27), strict=True):
            lost = rng.random(reference.size) < loss
            texts.append(" ".join(np.where(lost, rng.choice(words, reference.size), reference)))
    return references, systems


class TestCorpora:
    @pytest.mark.parametrize("name", ["BLEU", "CHRF"])
    @pytest.mark.parametrize("size", [40, 150])
    def test_score_and_p_value_are_those_of_sacrebleus_paired_bootstrap(self, name: str, size: int) -> None:
        from sacrebleu import metrics
        from sacrebleu.significance import PairedTest

        from apps.evaluations.statistics.corpus import corpus_difference, resampled_run

        references, systems = corpora(size, seed=size)
        metric = getattr(metrics, name)()
        runs = [("first", systems[0]), ("second", systems[1])]
        theirs = list(PairedTest(runs, {name: metric}, [references], "bs")()[1].values())[-1]
        ours = [
            resampled_run(
                np.array(metric._extract_corpus_statistics(texts, [references]), dtype=float),
                lambda sums: {"score": metric._compute_score_from_stats(sums.tolist()).score},
            )
            for texts in systems
        ]
        found = corpus_difference(*ours, "score")
        assert (found.baseline, found.candidate) == (
            pytest.approx(theirs[0].score, rel=1e-9),
            pytest.approx(theirs[1].score, rel=1e-9),
        )
        assert found.sacrebleu_p == pytest.approx(theirs[1].p_value, rel=1e-9)
        assert 0.001 < found.sacrebleu_p < 1
        low, high = found.candidate_interval
        assert (high - low) / 2 == pytest.approx(theirs[1].ci, rel=0.02)
        assert found.low < found.difference < found.high

    def test_a_figure_that_is_undefined_in_a_resample_has_no_interval(self) -> None:
        from apps.evaluations.statistics.corpus import corpus_difference, resampled_run

        rows = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

        def precision(sums: np.ndarray) -> dict[str, float | None]:
            return {"precision": float(sums[0] / sums.sum()) if sums.sum() else None}

        found = corpus_difference(*[resampled_run(rows, precision, resamples=100)] * 2, "precision")
        assert (found.difference, found.low, found.p_value) == (0.0, None, None)

    def test_the_paired_bootstrap_of_a_corpus_holds_its_level(self) -> None:
        """Two systems of equal worth and a figure that is a ratio of sums, as F1 is. What sacrebleu prints
        rejects twice too often, which is why nothing is decided by it.
        """
        from apps.evaluations.statistics.corpus import corpus_difference, resampled_run

        rng = np.random.default_rng(8)
        rejected = covered = by_sacrebleu = 0
        for _ in range(400):
            right = rng.integers(1, 6, 200)
            runs = [
                resampled_run(
                    np.stack([rng.binomial(right, 0.7), right], axis=1).astype(float),
                    lambda sums: {"f1": float(2 * sums[0] / (sums[0] + sums[1]))},
                    resamples=300,
                )
                for _ in range(2)
            ]
            found = corpus_difference(*runs, "f1")
            rejected += found.p_value < 0.05
            covered += found.low <= 0 <= found.high
            by_sacrebleu += found.sacrebleu_p < 0.05
        assert by_sacrebleu / 400 > 0.08
        assert 0.02 <= rejected / 400 <= 0.08
        assert 0.92 <= covered / 400 <= 0.98
