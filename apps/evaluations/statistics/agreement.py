"""How far several raters of the same things agree, whichever of them rated which.

Ratings come as a table: one row a rater, one column a unit (the thing rated), NaN where one did not rate the
other. Categories are numbers that stand for them; nothing is made of their order unless `level` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .intervals import mean_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Table = NDArray[np.float64]

#: What a difference between two values means: nothing, an order, a distance.
Level = Literal["nominal", "ordinal", "interval"]

RESAMPLES = 1_000
#: Resamples times pairs of ratings that one interval may take: some seconds.
MOST_DRAWS = 400_000_000
FEWEST_RESAMPLES = 200
SEED = 20260101


@dataclass(frozen=True, slots=True)
class Agreement:
    """A figure of agreement with its interval, over `units` things; None where nothing can be said.

    `raters` is how many ratings each unit has, or the most that one has.
    """

    value: float | None
    low: float | None
    high: float | None
    units: int
    raters: int
    standard_error: float | None = None


def percent_agreement(table: Table) -> Agreement:
    """The share of pairs of raters of one unit who gave it the same value, averaged over units.

    Units with fewer than two ratings are left out. The interval is that of the mean over units (Wilson's
    where each has two ratings, Student's t otherwise).
    """
    import numpy as np

    values = slots(table)
    counts = np.isfinite(values).sum(axis=0)
    values, counts = values[:, counts > 1], counts[counts > 1]
    if not counts.size:
        return Agreement(None, None, None, 0, 0)
    agreed = np.zeros(counts.size)
    for place in range(values.shape[0]):
        for other in range(place + 1, values.shape[0]):
            agreed += values[place] == values[other]
    shares = agreed / (counts * (counts - 1) / 2)
    found = mean_interval(shares, binary=True)
    return Agreement(found.mean, found.low, found.high, counts.size, int(counts.max()))


def cohens_kappa(table: Table, *, weighted: bool = False) -> Agreement:
    """Two raters (two rows), on the units that both rated.

    Cohen 1960 (Educational and Psychological Measurement 20:37) with the large-sample standard error of
    Fleiss, Cohen & Everitt 1969 (Psychological Bulletin 72:323), as statsmodels reckons them; `weighted`
    gives squared weights to steps (Cohen 1968), for values that are whole numbers in order.
    None where both always gave the same one value: chance agrees fully then.
    """
    import numpy as np
    from statsmodels.stats import inter_rater

    both = table[:, np.isfinite(table).all(axis=0)]
    units = both.shape[1]
    if not units:
        return Agreement(None, None, None, 0, 2)
    codes, size = _codes(both, steps=weighted)
    counts = np.bincount(codes[0] * size + codes[1], minlength=size * size).reshape(size, size)
    if size < 2:
        return Agreement(None, None, None, units, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = inter_rater.cohens_kappa(counts, wt="quadratic" if weighted else None)
    error = _finite(found.std_kappa)
    value = _finite(found.kappa)
    if value is None or error is None:
        return Agreement(value, None, None, units, 2)
    half = 1.959963984540054 * error
    return Agreement(value, max(-1.0, value - half), min(1.0, value + half), units, 2, error)


def fleiss_kappa(table: Table) -> Agreement:
    """Any number of raters: Fleiss 1971 (Psychological Bulletin 76:378), by statsmodels.

    It takes units that were rated by equally many: here, of the numbers of ratings that occur, the one that
    most units have. The interval is by the delete-one jackknife over units (Efron & Stein 1981).
    """
    import numpy as np
    from statsmodels.stats import inter_rater

    values = slots(table)
    numbers = np.isfinite(values).sum(axis=0)
    found = np.bincount(numbers[numbers > 1]) if numbers.size else numbers
    if not found.size:
        return Agreement(None, None, None, 0, 0)
    raters = int(found.argmax())
    rated = values[:raters, numbers == raters]
    units = rated.shape[1]
    codes, size = _codes(rated)
    if size < 2:
        return Agreement(None, None, None, units, raters)
    counts = np.zeros((units, size))
    for row in codes:
        counts[np.arange(units), row] += 1
    value = _finite(inter_rater.fleiss_kappa(counts))
    error = _jackknife(counts, raters) if value is not None and units > 2 else None
    if value is None or error is None:
        return Agreement(value, None, None, units, raters)
    half = 1.959963984540054 * error
    return Agreement(value, max(-1.0, value - half), min(1.0, value + half), units, raters, error)


def krippendorffs_alpha(table: Table, level: Level, *, seed: int = SEED) -> Agreement:
    """Any number of raters, any of them missing: Krippendorff 2018, Content Analysis, ch. 12, by evalica.

    The interval is Krippendorff's own bootstrap of the disagreements within units (Krippendorff 2006; Hayes &
    Krippendorff 2007). None where all ratings are one value.
    """
    import evalica
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]

    values = slots(table)
    numbers = np.isfinite(values).sum(axis=0)
    values = values[:, numbers > 1]
    units, most = values.shape[1], int(numbers.max()) if numbers.size else 0
    if not units or np.unique(values[np.isfinite(values)]).size < 2:
        return Agreement(None, None, None, units, most)
    pairs = int((numbers[numbers > 1] * (numbers[numbers > 1] - 1) // 2).sum())
    resamples = max(FEWEST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // max(1, pairs)))
    found = evalica.alpha_bootstrap(
        pd.DataFrame(values), distance=level, n_resamples=resamples, random_state=seed
    )
    return Agreement(_finite(found.alpha), _finite(found.low), _finite(found.high), units, most)


def slots(table: Table) -> Table:
    """The same ratings without their raters: unit by unit from the top, so that rows are as few as can be."""
    import numpy as np

    if not table.size:
        return table
    given = np.isfinite(table)
    most = int(given.sum(axis=0).max())
    order = np.argsort(~given, axis=0, kind="stable")[: max(1, most)]
    packed: Table = np.take_along_axis(table, order, axis=0)
    return packed


def _codes(values: Table, *, steps: bool = False) -> tuple[NDArray[np.intp], int]:
    """Numbers from 0 for the values, and how many there are; with `steps`, those between them count too."""
    import numpy as np

    if steps:
        low = values.min()
        return (values - low).astype(np.intp), int(values.max() - low) + 1
    known, codes = np.unique(values, return_inverse=True)
    return codes.reshape(values.shape).astype(np.intp), known.size


def _jackknife(counts: Table, raters: int) -> float | None:
    """The standard error of Fleiss' kappa, leaving out each unit in turn: in closed form from sums."""

    units = counts.shape[0]
    agreed = ((counts**2).sum(axis=1) - raters) / (raters * (raters - 1))
    observed = (agreed.sum() - agreed) / (units - 1)
    shares = (counts.sum(axis=0) - counts) / ((units - 1) * raters)
    expected = (shares**2).sum(axis=1)
    if (expected >= 1).any():
        return None
    kappas = (observed - expected) / (1 - expected)
    return math.sqrt((units - 1) / units * float(((kappas - kappas.mean()) ** 2).sum())) if units else None


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
