"""Paired differences on a numeric scale: bootstrap, Student's t, cluster-robust t, Wilcoxon and the sign
test.

Each takes the differences, candidate minus baseline, one per example, as a float array of shape (n,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .intervals import CONFIDENCE, label_codes, standard_error, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Labels

    Differences = NDArray[np.float64]

RESAMPLES = 4_999
FEW_CELLS = 1_000_000
CHUNK_CELLS = 1_000_000  # resampled values held at once: 8 MB
ROUNDING = 1e-12  # what a sum of floats may be off by, as a share of their size


@dataclass(frozen=True, slots=True)
class TestResult:
    """An interval of the mean difference and a two-sided p-value; either may be unknown (None)."""

    low: float | None
    high: float | None
    p_value: float | None
    #: The standard error that they rest on, where it is not that of independent differences.
    standard_error: float | None = None


def paired_t(differences: Differences, *, confidence: float = CONFIDENCE) -> TestResult:
    """Student's paired t test and its interval (Student 1908). Needs differences that are not all equal."""
    from scipy import stats

    mean, error = float(differences.mean()), standard_error(differences)
    degrees = differences.size - 1
    half = t_quantile(degrees, confidence) * error
    return TestResult(mean - half, mean + half, 2 * float(stats.t.sf(abs(mean / error), degrees)))


def clustered_t(differences: Differences, clusters: Labels, *, confidence: float = CONFIDENCE) -> TestResult:
    """The mean difference with cluster-robust standard error, against t with (clusters - 1) degrees of
    freedom.

    Variance: the jackknife over clusters, CV3 (Bell & McCaffrey 2002, Survey Methodology 28:169; MacKinnon,
    Nielsen & Webb 2023, Journal of Econometrics 232:272, who recommend it). Of clusters of one size it is the
    sum of squared sums of residuals, over n², times G / (G - 1) (Liang & Zeger 1986; Cameron & Miller 2015;
    for evaluations Miller 2024, arXiv:2411.00640, eq. 4), which is far too small where one cluster holds most
    of the examples. Unknown with fewer than two clusters, or without spread between them.
    """
    import numpy as np
    from scipy import stats

    index = label_codes(clusters)
    count = int(index.max(initial=-1)) + 1
    if count < 2:
        return TestResult(None, None, None)
    mean = float(differences.mean())
    sums = np.bincount(index, weights=differences - mean)
    others = differences.size - np.bincount(index)
    error = math.sqrt(float(((sums / others) ** 2).sum()) * (count - 1) / count)
    half = t_quantile(count - 1, confidence) * error
    if error <= ROUNDING * float(np.abs(differences).max()):
        return TestResult(None, None, None, 0.0)
    p_value = 2 * float(stats.t.sf(abs(mean / error), count - 1))
    return TestResult(mean - half, mean + half, p_value, error)


def bootstrap_bca(
    differences: Differences, *, seed: int, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> TestResult:
    """The bias-corrected and accelerated bootstrap of the mean difference, seeded, and its p-value.

    Efron 1987, JASA 82:171; Efron & Tibshirani 1993, eq. 14.9 to 14.15. For a mean the jackknife acceleration
    has the closed form sum(e³) / (6 sum(e²)^1.5) of the residuals e. The p-value is that of the test which
    the interval inverts to: twice the smallest tail at which an end of the interval touches zero (resamples
    tied at zero count for it); it cannot fall below about 1 / resamples. Needs two differences that are not
    all equal.
    """
    import numpy as np
    from scipy import stats

    mean = float(differences.mean())
    means = _resampled_means(differences, seed=seed, resamples=resamples)
    for value in (mean, 0.0):
        means[np.abs(means - value) <= ROUNDING * float(np.abs(differences).max())] = value
    residuals = differences - mean
    acceleration = float((residuals**3).sum()) / (6 * float((residuals**2).sum()) ** 1.5)
    bias = float(stats.norm.ppf(_share_below(means, mean)))

    def level(z: float) -> float:
        shifted = bias + z
        return float(stats.norm.cdf(bias + shifted / (1 - acceleration * shifted)))

    z = float(stats.norm.ppf((1 + confidence) / 2))
    low, high = np.quantile(means, [level(-z), level(z)])

    def tail(share: float) -> float:
        """The tail whose end of the interval is the quantile at `share`: the inverse of `level`."""
        u = float(stats.norm.ppf(share)) - bias
        stretch = 1 + acceleration * u
        return float(stats.norm.cdf((u / stretch if stretch > 0 else u) - bias))

    below, above = (tail(share) for share in _shares_at_zero(means))
    return TestResult(float(low), float(high), min(1.0, 2 * below, 2 * (1 - above)))


def wilcoxon_p(differences: Differences) -> float:
    """The two-sided signed-rank test (Wilcoxon 1945, zeros by Pratt 1959); 1 when all are zero."""
    import numpy as np
    from scipy import stats

    if not np.any(differences):
        return 1.0
    p_value = float(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    return p_value if math.isfinite(p_value) else 1.0


def sign_test_p(wins: int, losses: int) -> float:
    """The exact two-sided sign test on the pairs that differ (Dixon & Mood 1946); 1 when none does."""
    from scipy import stats

    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def rank_biserial(differences: Differences) -> float | None:
    """Matched-pairs rank-biserial correlation, -1 to 1 (Kerby 2014, eq. 1); None when nothing differs."""
    import numpy as np
    from scipy import stats

    changed = differences[differences != 0]
    if changed.size == 0:
        return None
    ranks = stats.rankdata(np.abs(changed))
    return float((ranks * np.sign(changed)).sum() / ranks.sum())


def _resampled_means(differences: Differences, *, seed: int, resamples: int) -> Differences:
    import numpy as np

    few = differences.size * resamples <= FEW_CELLS
    times = (_few_times_drawn if few else _times_drawn)(differences.size, seed, resamples)
    rows = max(1, CHUNK_CELLS // differences.size)
    chunks = [times[at : at + rows].astype(np.float64) @ differences for at in range(0, resamples, rows)]
    return np.concatenate(chunks) / differences.size


@lru_cache(maxsize=2)
def _times_drawn(n: int, seed: int, resamples: int) -> NDArray[np.uint8]:
    """How often each of `n` pairs is in each resample, shape (resamples, n).

    Kept for the next metric over as many pairs: drawing costs more than all the rest. In one byte a cell: no
    pair is drawn 256 times.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK_CELLS // n)
    times = np.empty((resamples, n), dtype=np.uint8)
    for at in range(0, resamples, rows):
        drawn = rng.integers(0, n, size=(min(rows, resamples - at), n), dtype=np.int32)
        places = drawn + np.arange(len(drawn))[:, None] * n
        times[at : at + rows] = np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return times


@lru_cache(maxsize=64)
def _few_times_drawn(n: int, seed: int, resamples: int) -> NDArray[np.uint8]:
    """The same where they are few: of many slices, each of another size, all are kept."""
    return _times_drawn.__wrapped__(n, seed, resamples)


def forget_draws() -> None:
    """Give back the memory of what was drawn for the comparison at hand."""
    _times_drawn.cache_clear()
    _few_times_drawn.cache_clear()


def _shares_at_zero(means: NDArray[Any]) -> tuple[float, float]:
    """Above which level quantiles of `means` are positive, and below which they are negative.

    The two differ where means are zero. As numpy takes quantiles, straight between neighbours.
    """
    import numpy as np

    ordered = np.sort(means)
    negative, not_positive = (int(np.searchsorted(ordered, 0.0, side=side)) for side in ("left", "right"))
    if negative == not_positive and 0 < negative < ordered.size:
        low, high = float(ordered[negative - 1]), float(ordered[negative])
        places = [negative - 1 + low / (low - high)] * 2
    else:
        places = [not_positive - 1, negative]
    least = 0.5 / (ordered.size + 1)
    first, second = (min(1 - least, max(least, place / (ordered.size - 1))) for place in places)
    return first, second


def _share_below(means: NDArray[Any], value: float) -> float:
    """The share of `means` below `value`, ties counted half, kept off 0 and 1 so that it has a normal
    quantile.
    """
    below = float((means < value).sum()) + 0.5 * float((means == value).sum())
    return (below + 0.5) / (means.size + 1)
