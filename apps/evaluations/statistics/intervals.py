"""Confidence intervals of one mean."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Labels = Sequence[Hashable] | NDArray[np.integer[Any]]

CONFIDENCE = 0.95
#: Larger values are no scores to reckon with: their squares and cubes would not be finite.
LARGEST = 1e90


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean with its confidence interval, in the units of the values.

    `n` counts the values, `clusters` the independent units among them (examples, when each was repeated).
    What cannot be said is None, never NaN; `method` names the interval ("" when there is none).
    """

    n: int
    clusters: int
    mean: float | None
    low: float | None
    high: float | None
    method: str


def mean_interval(
    values: Sequence[float] | NDArray[np.floating[Any]],
    *,
    binary: bool,
    clusters: Labels | None = None,
    confidence: float = CONFIDENCE,
) -> MeanInterval:
    """The mean of `values` with a two-sided interval; values that are no `usable` numbers are left out.

    Binary values (all of them 0 or 1): Wilson's score interval (Wilson 1927, JASA 22:209, without continuity
    correction). Others: Student's t. `clusters` gives the unit each value belongs to (same length); where
    units repeat, the variance is that between units' means, and Wilson takes the effective sample size this
    leaves (Korn & Graubard 1998, Survey Methodology 24:193).
    """
    import numpy as np

    array = np.asarray(values, dtype=float)
    keep = usable(array)
    labels = None if clusters is None else label_codes(clusters)[keep]
    array = array[keep]
    if array.size == 0:
        return MeanInterval(0, 0, None, None, None, "")
    units = array if labels is None else _unit_means(array, labels)
    repeated = units.size < array.size
    mean = float(units.mean())
    if binary and bool(((array == 0) | (array == 1)).all()):
        size = effective_size(units, array.size) if repeated else float(array.size)
        low, high = wilson_interval(mean, size, confidence=confidence)
        return MeanInterval(
            array.size, units.size, mean, low, high, "wilson_clustered" if repeated else "wilson"
        )
    if units.size == 1:
        return MeanInterval(array.size, 1, mean, None, None, "")
    half = t_quantile(units.size - 1, confidence) * standard_error(units)
    return MeanInterval(
        array.size, units.size, mean, mean - half, mean + half, "t_clustered" if repeated else "t"
    )


def usable(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which values are numbers that can be reckoned with: finite, and not beyond `LARGEST`."""
    import numpy as np

    return np.asarray(np.abs(values) <= LARGEST)


def wilson_interval(proportion: float, n: float, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a proportion of `n` > 0 (Wilson 1927; Agresti & Coull 1998, eq. 2)."""
    z = normal_quantile(confidence)
    centre = (proportion + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def standard_error(values: NDArray[np.floating[Any]]) -> float:
    """Sample standard deviation (n - 1) over the square root of n; needs two values or more."""
    return float(values.std(ddof=1)) / math.sqrt(values.size)


def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile: 1.95996 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def t_quantile(degrees: int, confidence: float) -> float:
    """The two-sided quantile of Student's t."""
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, degrees))


def label_codes(labels: Labels) -> NDArray[np.intp]:
    """Numbers from 0 in place of labels of any kind; equal labels have equal numbers."""
    import numpy as np

    if isinstance(labels, np.ndarray):
        return np.unique(labels, return_inverse=True)[1].astype(np.intp)
    order: dict[Hashable, int] = {}
    numbers = (order.setdefault(label, len(order)) for label in labels)
    return np.fromiter(numbers, dtype=np.intp, count=len(labels))


def _unit_means(values: NDArray[np.floating[Any]], codes: NDArray[np.intp]) -> NDArray[np.floating[Any]]:
    import numpy as np

    counts = np.bincount(codes)
    return np.asarray(np.bincount(codes, weights=values)[counts > 0] / counts[counts > 0], dtype=float)


def effective_size(units: NDArray[np.floating[Any]], n: int) -> float:
    """How many independent binary values would say as much; from the number of units to that of values.

    p(1 - p) over the variance between units, times the square of the ratio of t quantiles at n - 1 and
    units - 1 degrees of freedom: between few units the variance itself is uncertain (Korn & Graubard 1998).
    """
    if units.size < 2:
        return float(units.size)
    mean, variance = float(units.mean()), standard_error(units) ** 2
    if variance == 0:
        return float(units.size)
    uncertain = t_quantile(n - 1, CONFIDENCE) / t_quantile(units.size - 1, CONFIDENCE)
    return min(float(n), max(float(units.size), mean * (1 - mean) / variance * uncertain**2))
