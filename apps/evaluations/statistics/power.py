"""How many examples it takes to see a difference, and how small a one a comparison could have seen.

Plain Python, without numpy or scipy: web pages call it.
"""

from __future__ import annotations

import math
from statistics import NormalDist

POWER = 0.8
ALPHA = 0.05


def examples_needed(*, spread: float, difference: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """How many paired examples show a true `difference` with probability `power` in a two-sided test.

    `spread` is the standard deviation of the paired differences, both in the metric's own units.
    n = ((z(1 - alpha/2) + z(power)) spread / difference)², rounded up, and two at least (Cohen 1988, ch. 2;
    for evaluations Miller 2024, arXiv:2411.00640, eq. 9). Raises ValueError for a difference of zero, or for
    numbers that are not finite; and for a difference so small that the number has no end.
    """
    if not (math.isfinite(difference) and math.isfinite(spread) and difference and spread >= 0):
        raise ValueError("The difference must be a number other than zero, the spread one of zero or more.")
    times = _standard_errors(power, alpha) * spread / abs(difference)
    if times > 1e150:
        raise ValueError("The difference is too small against the spread.")
    return max(2, math.ceil(times**2 - 1e-9))


def smallest_difference(*, standard_error: float, power: float = POWER, alpha: float = ALPHA) -> float:
    """The smallest true difference that a comparison with this standard error shows with probability `power`.

    The inverse of `examples_needed`: standard_error = spread / sqrt(n) (Miller 2024, eq. 10).
    """
    return _standard_errors(power, alpha) * standard_error


def _standard_errors(power: float, alpha: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
