"""Pairwise preferences: who won how often, how strong each system is, and whether the place shown decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .continuous import sign_test_p
from .intervals import effective_size, label_codes, standard_error, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Labels

    Floats = NDArray[np.float64]

STRENGTH_RESAMPLES = 500
#: Ties added to each pair that was compared, so that one who never lost is strong, not infinitely strong.
PRIOR_TIES = 1.0
SEED = 20260101
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """A share of votes with its interval; `units` examples gave them. Without votes all is None."""

    n: int
    units: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Preference:
    """How a candidate fared against a baseline. Wins, ties and losses are examples, by their majority."""

    win_rate: Share
    wins: int
    ties: int
    losses: int
    p_value: float | None
    #: Of the difference of the two win rates (candidate less baseline), between examples.
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Strength:
    """What a system wins against an average opponent, 0 to 1. None where it has no votes."""

    value: float | None
    low: float | None
    high: float | None


def share(values: Floats | Sequence[float], units: Labels, *, confidence: float = CONFIDENCE) -> Share:
    """The mean of votes (1 for, 0 against, 0.5 tied), by units within which votes go together.

    Each unit counts once. Wilson's interval with the effective sample size that the variance between units
    leaves (Korn & Graubard 1998), between the number of units and that of votes.
    """
    import numpy as np

    votes = np.asarray(values, dtype=float)
    if not votes.size:
        return Share(0, 0, None, None, None)
    means = _unit_means(votes, label_codes(units))
    mean = float(means.mean())
    low, high = wilson_interval(mean, effective_size(means, votes.size), confidence=confidence)
    return Share(votes.size, means.size, mean, low, high)


def preference(votes: Floats | Sequence[float], examples: Labels) -> Preference:
    """`votes` for a candidate (1 it won, 0 it lost, 0.5 a tie), with the example each is about.

    The test is the exact sign test on the examples' majorities (Dixon & Mood 1946): an example counts once,
    however many rated it; one that is split evenly says nothing.
    """
    import numpy as np

    array = np.asarray(votes, dtype=float)
    if not array.size:
        return Preference(share(array, examples), 0, 0, 0, None, None)
    means = _unit_means(array, label_codes(examples))
    wins, losses = int((means > 0.5 + 1e-9).sum()), int((means < 0.5 - 1e-9).sum())
    return Preference(
        win_rate=share(array, examples),
        wins=wins,
        ties=means.size - wins - losses,
        losses=losses,
        p_value=sign_test_p(wins, losses),
        standard_error=2 * standard_error(means) if means.size > 1 else None,
    )


def strengths(
    systems: int,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    votes: Floats,
    examples: Labels,
    *,
    resamples: int = STRENGTH_RESAMPLES,
    seed: int = SEED,
) -> list[Strength]:
    """Bradley–Terry strengths (Bradley & Terry 1952; Newman 2023) of systems 0 to `systems` - 1.

    `votes[i]` is 1 where `first[i]` won against `second[i]`, 0 where it lost, 0.5 for a tie, on the example
    `examples[i]`; to each pair that was compared one tie is added. A strength is given as the share that the
    system wins against one of average strength.
    The interval is a percentile bootstrap that draws examples with all their votes.
    """
    import numpy as np

    known = np.unique(np.concatenate([first, second])) if votes.size else np.empty(0, dtype=np.intp)
    found: list[Strength] = [Strength(None, None, None)] * systems
    if known.size < 2:
        return found
    units = label_codes(examples)
    tally = _Tally(np.searchsorted(known, first), np.searchsorted(known, second), votes, units, known.size)
    point = tally.strengths(np.ones(tally.units))
    generator = np.random.default_rng(seed)
    draws = [
        tally.strengths(np.bincount(generator.integers(0, tally.units, tally.units), minlength=tally.units))
        for _ in range(resamples if tally.units > 1 else 0)
    ]
    tail = (1 - CONFIDENCE) / 2
    ends = np.quantile(np.array(draws), [tail, 1 - tail], axis=0).T if draws else [(None, None)] * known.size
    for system, value, (low, high) in zip(known, point, ends, strict=True):
        found[system] = Strength(
            float(value), None if low is None else float(low), None if high is None else float(high)
        )
    return found


class _Tally:
    """Votes counted by pair, outcome and example, so that resampling is one product and one quick fit."""

    def __init__(
        self, first: NDArray[Any], second: NDArray[Any], votes: Floats, units: NDArray[np.intp], systems: int
    ) -> None:
        import numpy as np
        from scipy import sparse

        turned = first > second  # each pair one way round, whichever side a vote was stored from
        votes = np.where(turned, 1 - votes, votes)
        first, second = np.where(turned, second, first), np.where(turned, first, second)
        outcomes = np.where(votes > 0.5, 1, np.where(votes < 0.5, 2, 0))
        kinds, place = np.unique((first * systems + second) * 3 + outcomes, return_inverse=True)
        self.units = int(units.max()) + 1
        self.counts = sparse.csr_matrix((np.ones(votes.size), (place, units)), (kinds.size, self.units))
        compared = np.unique(kinds // 3)
        self.prior = [PRIOR_TIES] * compared.size
        pairs = np.concatenate([kinds // 3, compared])
        self.first, self.second = (pairs // systems).tolist(), (pairs % systems).tolist()
        self.outcomes = [*(kinds % 3).tolist(), *[0] * compared.size]

    def strengths(self, times: NDArray[Any]) -> Floats:
        import evalica
        import numpy as np

        winners = [evalica.Winner(outcome) for outcome in self.outcomes]
        scores = evalica.bradley_terry(
            self.first,
            self.second,
            winners,
            weights=[*(self.counts @ times).tolist(), *self.prior],
            tolerance=1e-10,
            limit=10_000,
        ).scores.sort_index()
        logs = np.log(np.maximum(scores.to_numpy(dtype=float), 1e-9))
        return np.asarray(1 / (1 + np.exp(logs.mean() - logs)))


def _unit_means(values: Floats, codes: NDArray[np.intp]) -> Floats:
    import numpy as np

    counts = np.bincount(codes)
    means: Floats = np.bincount(codes, weights=values)[counts > 0] / counts[counts > 0]
    return means
