"""Paired binary outcomes: McNemar's tests, and intervals for the difference of two paired proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .intervals import CONFIDENCE, normal_quantile

CONVENTIONAL_Z = 1.96  # the rounded quantile by which published normal-approximation intervals are computed


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """How often both, one or neither of two systems succeeded on the same examples."""

    both: int
    only_candidate: int
    only_baseline: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_candidate + self.only_baseline + self.neither

    @property
    def discordant(self) -> int:
        return self.only_candidate + self.only_baseline

    @property
    def difference(self) -> float:
        """The candidate's proportion minus the baseline's; needs n > 0."""
        return (self.only_candidate - self.only_baseline) / self.n


def mcnemar_exact(counts: PairedCounts) -> float:
    """The exact conditional p-value, two-sided (McNemar 1947; binomial, p = 1/2, on discordant pairs)."""
    from scipy import stats

    fewer = min(counts.only_candidate, counts.only_baseline)
    return min(1.0, 2 * float(stats.binom.cdf(fewer, counts.discordant, 0.5)))


def mcnemar_midp(counts: PairedCounts) -> float:
    """The mid-p version of the exact test: the observed table counts half.

    Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91, who recommend it. With equally
    many discordant pairs on both sides the p-value is 1.
    """
    from scipy import stats

    fewer = min(counts.only_candidate, counts.only_baseline)
    tail = 2 * float(stats.binom.cdf(fewer, counts.discordant, 0.5))
    return min(1.0, tail - float(stats.binom.pmf(fewer, counts.discordant, 0.5)))


def mcnemar_chi_squared(counts: PairedCounts, *, continuity_correction: bool = False) -> tuple[float, float]:
    """The asymptotic statistic (one degree of freedom) and its p-value; (0, 1) without discordant pairs.

    McNemar 1947; with the continuity correction of Edwards 1948 when asked.
    """
    from scipy import stats

    if counts.discordant == 0:
        return 0.0, 1.0
    distance = abs(counts.only_candidate - counts.only_baseline)
    if continuity_correction:
        distance = max(0, distance - 1)
    statistic = distance**2 / counts.discordant
    return statistic, float(stats.chi2.sf(statistic, 1))


def bonett_price_interval(counts: PairedCounts, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The adjusted Wald interval of the difference of paired proportions, cut to [-1, 1].

    Bonett & Price 2012, Journal of Educational and Behavioral Statistics 37:479, eq. 4; recommended by
    Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33:2850. Adding one to each discordant count
    keeps the interval honest when few pairs, or none, differ.
    """
    n = counts.n + 2
    better, worse = (counts.only_candidate + 1) / n, (counts.only_baseline + 1) / n
    half = normal_quantile(confidence) * math.sqrt((better + worse - (better - worse) ** 2) / n)
    return max(-1.0, better - worse - half), min(1.0, better - worse + half)


def paired_standard_error(counts: PairedCounts) -> float | None:
    """The standard error of the difference, from the sample variance (n - 1) of the paired differences.

    None for fewer than two pairs.
    """
    n = counts.n
    if n < 2:
        return None
    return math.sqrt(max(0.0, counts.discordant / n - counts.difference**2) / (n - 1))


def normal_interval(counts: PairedCounts) -> tuple[float, float] | None:
    """The plain 95% normal approximation, ± 1.96 standard errors; None for fewer than two pairs."""
    error = paired_standard_error(counts)
    if error is None:
        return None
    return counts.difference - CONVENTIONAL_Z * error, counts.difference + CONVENTIONAL_Z * error
