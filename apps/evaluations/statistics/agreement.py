"""How far raters agree beyond chance: kappa."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Two raters of the same things, in the same order (Cohen 1960, Educational and Psychological Measurement
    20:37).

    1 is full agreement, 0 what chance gives. None without ratings, or where both always say the same one
    thing: then chance agrees fully, and nothing can be said. Raises ValueError for unequal lengths.
    """
    import numpy as np

    if len(first) != len(second):
        raise ValueError(f"The raters rated {len(first)} and {len(second)} things.")
    if not first:
        return None
    places = {label: place for place, label in enumerate(dict.fromkeys([*first, *second]))}
    table = np.zeros((len(places), len(places)))
    for one, other in zip(first, second, strict=True):
        table[places[one], places[other]] += 1
    table /= table.sum()
    return _beyond_chance(float(np.trace(table)), float(table.sum(axis=0) @ table.sum(axis=1)))


def fleiss_kappa(counts: Sequence[Sequence[int]] | NDArray[Any]) -> float | None:
    """Several raters: `counts[i][j]` of them put thing i into category j, equally many for each thing.

    Fleiss 1971, Psychological Bulletin 76:378. None where nothing can be said, as with `cohens_kappa`, or
    with a single rater. Raises ValueError where the rows do not add up to the same number.
    """
    import numpy as np

    table: NDArray[np.float64] = np.asarray(counts, dtype=float)
    if not table.size:
        return None
    raters = table.sum(axis=1)
    if (raters != raters[0]).any():
        raise ValueError("Each thing must have been rated by equally many raters.")
    if raters[0] < 2:
        return None
    agreed = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    shares = table.sum(axis=0) / table.sum()
    return _beyond_chance(float(agreed.mean()), float((shares**2).sum()))


def _beyond_chance(observed: float, expected: float) -> float | None:
    return None if expected >= 1 else (observed - expected) / (1 - expected)
