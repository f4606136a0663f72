"""Comparing two runs by a figure that only a whole run has (corpus BLEU, macro F1): resampling the corpus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .bootstrap import Score
from .intervals import t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 1_000
#: sacrebleu's own, so that a comparison made here and one made with its command line agree.
SEED = 12_345
CONFIDENCE = 0.95
CHUNK_CELLS = 2_000_000  # draws held at once
KEPT_CELLS = 20_000_000  # draws kept for the next run, in as many bytes
DENSE_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class CorpusDifference:
    """The figures of both runs over the same examples. What cannot be said is None."""

    baseline: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    sacrebleu_p: float | None
    standard_error: float | None
    baseline_interval: tuple[float, float] | None
    candidate_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ResampledRun:
    """A run's figures by name: over all its examples (or groups of them, as many as `units`), and over each
    resample (NaN where not defined).
    """

    figures: Mapping[str, float | None]
    resampled: Mapping[str, Floats]
    units: int


def resampled_run(
    rows: Any, score: Score, again: Score | None = None, *, resamples: int = RESAMPLES, seed: int = SEED
) -> ResampledRun:
    """Score the sums of `rows` (one an example, one column a count; sparse or not) and of its resamples.

    Runs with equally many rows are resampled alike under one seed, so that they stay paired. `again` scores
    resamples, where that is quicker than `score` and gives the same.
    """
    import numpy as np

    whole = score(np.asarray(rows.sum(axis=0), dtype=np.float64).ravel())
    drawn: dict[str, list[float]] = {name: [] for name in whole}
    if rows.shape[0] > 1 and rows.shape[1]:
        for sums in _resampled_sums(rows, resamples, seed):
            for name, value in (again or score)(sums).items():
                drawn[name].append(np.nan if value is None else float(value))
    resampled = {name: np.asarray(values, dtype=float) for name, values in drawn.items()}
    return ResampledRun(whole, resampled, int(rows.shape[0]))


def corpus_difference(
    baseline: ResampledRun, candidate: ResampledRun, name: str, *, confidence: float = CONFIDENCE
) -> CorpusDifference:
    """The paired bootstrap of two runs over the same examples.

    The interval holds the middle of the resampled differences (percentiles; Efron & Tibshirani 1993, ch. 13),
    expanded for few examples from z to sqrt(n / (n - 1)) t (Hesterberg 2015, American Statistician 69:371).
    The p-value is that of the test which it inverts to, from twice the share of resamples on the other side
    of zero, (c + 1) / (B + 1). Where none is, the tail by the bootstrap's standard error goes below what so
    many resamples can tell. It never falls below 2 / 2ⁿ for n examples, which is what the test can reach
    that swaps equal runs on any of them (Riezler & Maxwell 2005). The interval of each run is that of plain
    percentiles, as sacrebleu prints it.

    `sacrebleu_p` is the p-value that sacrebleu's paired bootstrap prints (Koehn 2004; Post 2018): the share
    of resamples whose absolute difference lies further above the average of these than the difference found.
    It rejects about one comparison in ten of equal systems at 5%, so nothing is decided by it.
    """
    import numpy as np

    x, y = baseline.figures.get(name), candidate.figures.get(name)
    difference = None if x is None or y is None else y - x
    first, second = (run.resampled.get(name, np.empty(0)) for run in (baseline, candidate))
    n = baseline.units
    intervals = _interval(first, confidence), _interval(second, confidence)
    if difference is None or not first.size or first.size != second.size:
        return CorpusDifference(x, y, difference, None, None, None, None, None, *intervals)
    differences = second - first
    found = _interval(differences, confidence, n)
    if found is None:
        return CorpusDifference(x, y, difference, None, None, None, None, None, *intervals)
    error = float(differences.std(ddof=1))
    return CorpusDifference(
        baseline=x,
        candidate=y,
        difference=difference,
        low=found[0],
        high=found[1],
        p_value=max(_two_sided(differences, difference, error, n), 2.0 ** (1 - min(n, 1000))),
        sacrebleu_p=_sacrebleu_p(differences, difference),
        standard_error=error,
        baseline_interval=intervals[0],
        candidate_interval=intervals[1],
    )


def _two_sided(differences: Floats, difference: float, error: float, n: int) -> float:
    from scipy import stats

    beyond = (differences < 0).sum() + (differences == 0).sum() / 2
    beyond = float(min(beyond, differences.size - beyond))
    z = float(stats.norm.ppf(min(0.5, (beyond + 1) / (differences.size + 1))))
    if not beyond and error > 1e-9 * abs(difference):
        z = min(z, -abs(difference) / error)
    return 2 * float(stats.t.cdf(z * math.sqrt((n - 1) / n), n - 1))


def _sacrebleu_p(differences: Floats, difference: float) -> float:
    distances = abs(differences)
    further = int((distances - distances.mean() > abs(difference)).sum())
    return (further + 1) / (differences.size + 1)


def _interval(values: Floats, confidence: float, n: int | None = None) -> tuple[float, float] | None:
    """Percentiles; expanded as a figure over `n` examples, two at least, asks for."""
    import numpy as np
    from scipy import stats

    if not values.size or not np.isfinite(values).all():
        return None
    tail = (1 - confidence) / 2
    if n is not None:
        tail = float(stats.norm.cdf(-math.sqrt(n / (n - 1)) * t_quantile(n - 1, confidence)))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _resampled_sums(rows: Any, resamples: int, seed: int) -> Floats:
    """The sums of the columns in each resample, shape (resamples, columns)."""
    import numpy as np

    n, columns = rows.shape
    if hasattr(rows, "toarray") and columns <= DENSE_COLUMNS:
        rows = rows.toarray()
    if n * resamples > KEPT_CELLS:
        times = _times_drawn(n, seed, resamples)
    else:
        times = iter(_kept_times_drawn(n, seed, resamples))
    return np.concatenate([np.asarray(chunk.astype(np.float64) @ rows) for chunk in times])


def _times_drawn(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.uint8]]:
    """How often each of `n` rows is in each resample, some resamples at a time; in one byte a cell, for no
    row is drawn 256 times. The draws are those of sacrebleu under the same seed.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    size = max(1, CHUNK_CELLS // n)
    for start in range(0, resamples, size):
        drawn = generator.choice(n, size=(min(size, resamples - start), n), replace=True)
        places = drawn + np.arange(len(drawn))[:, None] * n
        yield np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.uint8)


@lru_cache(maxsize=2)
def _kept_times_drawn(n: int, seed: int, resamples: int) -> tuple[NDArray[np.uint8], ...]:
    """The same, kept for the next run over as many rows."""
    return tuple(_times_drawn(n, seed, resamples))
