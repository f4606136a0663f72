"""Intervals of figures that are functions of sums over a run's examples (corpus BLEU, macro F1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 20_170_913
CONFIDENCE = 0.95

Score = Callable[["NDArray[np.floating[Any]]"], Mapping[str, float | None]]
"""From the sums of the columns to figures by name; None where a figure is not defined."""


def bootstrap_intervals(
    rows: Any,
    score: Score,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (Efron & Tibshirani 1993, ch. 13) of figures of the sums of `rows`.

    `rows` is a sparse matrix, one row an example, one column a count; examples are drawn with replacement.
    The same seed gives the same intervals. A figure that is undefined in any resample has none, and so has a
    run of fewer than two examples.
    """
    import numpy as np

    size = rows.shape[0]
    if size < 2:
        return {}
    generator = np.random.default_rng(seed)
    columns = rows.T.tocsr()
    drawn: dict[str, list[float | None]] = {}
    for _ in range(resamples):
        times = np.bincount(generator.integers(0, size, size), minlength=size)
        for name, value in score(columns @ times).items():
            drawn.setdefault(name, []).append(value)
    tail = (1 - confidence) / 2
    return {
        name: (float(low), float(high))
        for name, values in drawn.items()
        if None not in values
        for low, high in [np.quantile(np.asarray(values, dtype=float), [tail, 1 - tail])]
    }
