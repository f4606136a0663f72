"""How far a judge says what people say of the same things."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .agreement import Agreement, cohens_kappa, krippendorffs_alpha, percent_agreement
from .intervals import mean_interval, normal_quantile, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share `hits` / `n` with Wilson's interval; None without any."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CategoryRates:
    """Of what people put into the category, and of what they did not: how much the judge put there."""

    label: str
    true_positive: Rate
    false_positive: Rate


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[i][j]`: people said `labels[i]`, the judge `labels[j]`."""

    labels: list[str]
    counts: list[list[int]]
    agreed: Agreement
    kappa: Agreement
    rates: list[CategoryRates]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers against numbers: agreement, order, and how much higher the judge is on average."""

    alpha: Agreement
    rank: Agreement
    higher: Agreement


def confusion(people: Sequence[str], judge: Sequence[str], labels: Sequence[str] = ()) -> Confusion:
    """Categories of the same things, in the same order; `labels` says in which order to show them.

    Kappa and its interval: see `agreement.cohens_kappa`; rates by Wilson's score interval.
    """
    import numpy as np

    known = list(dict.fromkeys([*labels, *sorted({*people, *judge})]))
    places: dict[Hashable, int] = {label: place for place, label in enumerate(known)}
    table = np.array([[places[one] for one in people], [places[one] for one in judge]], dtype=float)
    counts = np.zeros((len(known), len(known)), dtype=int)
    for one, other in zip(people, judge, strict=True):
        counts[places[one], places[other]] += 1
    said, given = counts.sum(axis=1), counts.sum(axis=0)
    rates = [
        CategoryRates(
            label,
            rate(int(counts[place, place]), int(said[place])),
            rate(int(given[place] - counts[place, place]), int(counts.sum() - said[place])),
        )
        for place, label in enumerate(known)
    ]
    return Confusion(known, counts.tolist(), percent_agreement(table), cohens_kappa(table), rates)


def numbers(people: Floats, judge: Floats) -> Numbers:
    """Numbers of the same things on one scale.

    Krippendorff's alpha for interval values; Spearman's rank correlation with the interval of Bonett & Wright
    2000 (Psychometrika 65:23, eq. 3); the mean difference (judge less people) with Student's t.
    """
    import numpy as np

    alpha = krippendorffs_alpha(np.vstack([people, judge]), "interval")
    apart = mean_interval(judge - people, binary=False)
    return Numbers(alpha, _rank(people, judge), Agreement(apart.mean, apart.low, apart.high, people.size, 2))


def rate(hits: int, n: int) -> Rate:
    """`hits` of `n` with Wilson's interval."""
    if not n:
        return Rate(hits, n, None, None, None)
    low, high = wilson_interval(hits / n, n)
    return Rate(hits, n, hits / n, low, high)


def _rank(people: Floats, judge: Floats) -> Agreement:
    import numpy as np
    from scipy import stats

    n = people.size
    if n < 3 or np.ptp(people) == 0 or np.ptp(judge) == 0:
        return Agreement(None, None, None, n, 2)
    value = float(stats.spearmanr(people, judge).statistic)
    if n < 4 or abs(value) >= 1:
        return Agreement(value, None, None, n, 2)
    error = math.sqrt((1 + value**2 / 2) / (n - 3))
    half = normal_quantile(0.95) * error
    return Agreement(value, math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half), n, 2)
