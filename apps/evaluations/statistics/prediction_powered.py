"""A mean of people's ratings, made sharper by a judge who rated everything: prediction-powered inference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .intervals import CONFIDENCE, normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Ratings by people from which on the normal interval is trusted.
FEWEST = 30


@dataclass(frozen=True, slots=True)
class Corrected:
    """What people's mean would be over everything, in the units of their ratings.

    `n` things were rated by people and by the judge, `others` by the judge alone. `weight` (λ) is how far
    the judge is relied on: 0 not at all, 1 fully.
    """

    value: float
    low: float
    high: float
    weight: float
    n: int
    others: int


def corrected_mean(
    people: Floats, judge: Floats, judge_elsewhere: Floats, *, confidence: float = CONFIDENCE
) -> Corrected | None:
    """PPI++ for a mean: Angelopoulos, Duchi & Zrnic 2023, "PPI++: Efficient Prediction-Powered Inference",
    arXiv:2311.01453.

    `people[i]` (Y) and `judge[i]` (f) are of the same n things, drawn at random from all; `judge_elsewhere`
    (f') is of the N others. With the squared error as the loss, the minimum of the paper's rectified loss

        L_λ(θ) = L_n(θ) + λ (L'_N(θ) − L^f_n(θ))

    and the standard error of its central limit theorem are

        θ = λ mean(f') + mean(Y − λ f),      SE² = λ² var(f') / N + var(Y − λ f) / n.

    λ is tuned for power by the plug-in of Proposition 2 (section 6), which for a mean is

        λ = cov(Y, f) / ((1 + n/N) var(f, f')), kept within [0, 1].

    Variances are taken as in ppi-python: var(f, f') over all N + n with N + n − 1, the others without.
    Where the judge rated nothing else, or says the same of everything, λ is 0: then it is people's own mean.
    None for fewer than two ratings by people.
    """
    import numpy as np

    n, others = people.size, judge_elsewhere.size
    if n < 2:
        return None
    weight = 0.0
    if others:
        spread = float(np.var(np.concatenate([judge, judge_elsewhere]), ddof=1))
        if spread > 0:
            together = float(np.mean((people - people.mean()) * (judge - judge.mean())))
            weight = min(1.0, max(0.0, together / ((1 + n / others) * spread)))
    elsewhere = float(judge_elsewhere.mean()) if others else 0.0
    rest = people - weight * judge
    value = weight * elsewhere + float(rest.mean())
    variance = float(rest.var()) / n
    if others:
        variance += weight**2 * float(judge_elsewhere.var()) / others
    half = normal_quantile(confidence) * math.sqrt(variance)
    return Corrected(value, value - half, value + half, weight, n, others)
