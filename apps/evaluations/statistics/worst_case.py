"""What a comparison would say if every score that is missing spoke against the candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .paired import PairedResult, paired_samples
from .samples import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Labels
    from .verdict import Scale

    Counts = NDArray[np.intp]

Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class WorstCase:
    """`filled` examples lacked a score on a side; `worst` and `best` are the values they were given.

    `observed`: the metric has no bound of its own there, so these are the most extreme values seen.
    """

    result: PairedResult
    filled: int
    worst: float
    best: float
    observed: bool


def worst_case(
    baseline: Sample,
    candidate: Sample,
    *,
    within: NDArray[np.bool_],
    scale: Scale,
    direction: Direction,
    low: float | None,
    high: float | None,
    groups: Labels | None = None,
    seed: int = 0,
    expected: tuple[Counts, Counts] | None = None,
) -> WorstCase | None:
    """Give the candidate the worst value where it lacks a score, the baseline the best where that does.

    The bounds of the worst-case analysis of missing outcomes (Manski 1990, American Economic Review 80:319).
    `within` says which examples count (those that both runs were to answer). `low` and `high` are the ends of
    the metric's scale; where one is None, or a score lies beyond it, the most extreme value that was seen
    stands for it. `expected` says how many scores each example was to have, in the baseline and in the
    candidate (its repetitions; one by default). None when nothing is missing, or nothing was seen at all.
    """
    import numpy as np

    base, cand = baseline.finite(), candidate.finite()
    count = within.size
    seen = np.concatenate([base.values, cand.values])
    planned = expected or (np.ones(count, dtype=np.intp),) * 2
    lacks_base, lacks_cand = (
        np.where(within, np.maximum(0, wanted - np.bincount(sample.examples, minlength=count)), 0)
        for sample, wanted in zip((base, cand), planned, strict=True)
    )
    if not seen.size or not (lacks_base.any() or lacks_cand.any()):
        return None
    bottom, top = float(seen.min()), float(seen.max())
    observed = low is None or high is None or bottom < low or top > high
    bottom, top = bottom if low is None else min(low, bottom), top if high is None else max(high, top)
    worst, best = (top, bottom) if direction == "lower" else (bottom, top)
    result = paired_samples(
        _filled(base, lacks_base, best),
        _filled(cand, lacks_cand, worst),
        examples=count,
        scale=scale,
        direction=direction,
        groups=groups,
        seed=seed,
    )
    filled = int(((lacks_base > 0) | (lacks_cand > 0)).sum())
    return WorstCase(result, filled, worst, best, observed=observed)


def _filled(sample: Sample, lacking: Counts, value: float) -> Sample:
    import numpy as np

    places = np.repeat(np.arange(lacking.size), lacking)
    return Sample(
        np.concatenate([sample.examples, places]),
        np.concatenate([sample.values, np.full(places.size, value)]),
    )
