"""Is the candidate better than the baseline on the examples that both have? One metric, one named test."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .continuous import RESAMPLES
from .intervals import MeanInterval, mean_interval, standard_error
from .verdict import Scale, judge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Direction = Literal["higher", "lower"]
Scores = Mapping[str, float | Sequence[float]]
"""A run's values of one metric by example: one, or one for each repetition. A missing example is left out."""


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One metric of a candidate against a baseline, in the metric's own units.

    `n` examples are paired; `difference` is candidate minus baseline, whichever way is better, while `wins`
    and `losses` heed the direction. Numbers that cannot be said are None, never NaN. `reason` tells a reader
    why `test` was chosen, or why there is none.
    """

    n: int
    missing: int
    missing_in_baseline: int
    missing_in_candidate: int
    baseline: MeanInterval
    candidate: MeanInterval
    difference: float | None
    standard_error: float | None
    ci_low: float | None
    ci_high: float | None
    interval: str
    p_value: float | None
    test: str
    reason: str
    wins: int
    ties: int
    losses: int
    effect_size: float | None
    effect_size_name: str
    other_tests: dict[str, float] = field(default_factory=dict)
    other_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def baseline_mean(self) -> float | None:
        return self.baseline.mean

    @property
    def candidate_mean(self) -> float | None:
        return self.candidate.mean


def paired_comparison(
    baseline: Scores,
    candidate: Scores,
    *,
    scale: Scale,
    direction: Direction | None = "higher",
    examples: Collection[str] | None = None,
    clusters: Mapping[str, Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedResult:
    """Compare two runs on one metric, example by example.

    Repetitions of an example are averaged first, so that an example counts once (the unit of sampling is the
    example). `examples` are those both runs planned (default: those either has); the ones not paired are
    `missing`. `clusters` names a group for each example where examples belong together (a passage, a
    customer); the standard error is then cluster-robust. Without a `direction` a higher value counts as a
    win.
    """
    import numpy as np

    base, cand = _finite(baseline), _finite(candidate)
    planned = set(examples) if examples is not None else base.keys() | cand.keys()
    keys = sorted(base.keys() & cand.keys() & planned)
    x = np.array([_mean(base[key]) for key in keys], dtype=float)
    y = np.array([_mean(cand[key]) for key in keys], dtype=float)
    differences = _without_rounding(y - x, x, y)
    repeated = any(len(base[key]) > 1 or len(cand[key]) > 1 for key in keys)
    groups = None if clusters is None else [clusters.get(key, ("alone", key)) for key in keys]
    verdict = judge(
        x, y, differences, scale=scale, repeated=repeated, groups=groups, seed=seed, resamples=resamples
    )
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    wins, losses = (lost, gained) if direction == "lower" else (gained, lost)
    return PairedResult(
        n=len(keys),
        missing=len(planned) - len(keys),
        missing_in_baseline=len(planned - base.keys()),
        missing_in_candidate=len(planned - cand.keys()),
        baseline=_marginal(base, keys, scale),
        candidate=_marginal(cand, keys, scale),
        difference=float(differences.mean()) if keys else None,
        standard_error=standard_error(differences) if len(keys) > 1 else None,
        ci_low=verdict.result.low,
        ci_high=verdict.result.high,
        interval=verdict.interval,
        p_value=verdict.result.p_value,
        test=verdict.test,
        reason=verdict.reason,
        wins=wins,
        ties=len(keys) - gained - lost,
        losses=losses,
        effect_size=verdict.effect_size,
        effect_size_name=verdict.effect_size_name,
        other_tests=verdict.other_tests,
        other_intervals=verdict.other_intervals,
    )


def _finite(scores: Scores) -> dict[str, list[float]]:
    """Each example's finite values; an example without one is missing."""
    kept: dict[str, list[float]] = {}
    for key, values in scores.items():
        finite = [values] if type(values) is float else _as_list(values)
        finite = [value for value in finite if math.isfinite(value)]
        if finite:
            kept[key] = finite
    return kept


def _as_list(values: float | Sequence[float]) -> list[float]:
    return [float(values)] if isinstance(values, int | float) else [float(value) for value in values]


def _mean(values: list[float]) -> float:
    return values[0] if len(values) == 1 else math.fsum(values) / len(values)


def _marginal(scores: dict[str, list[float]], keys: list[str], scale: Scale) -> MeanInterval:
    """The mean of one side over the paired examples, with its own interval."""
    values = [value for key in keys for value in scores[key]]
    repeated = len(values) > len(keys)
    labels = [key for key in keys for _ in scores[key]] if repeated else None
    return mean_interval(values, binary=scale == "binary", clusters=labels)


def _without_rounding(differences: Floats, x: Floats, y: Floats) -> Floats:
    """Differences that are only rounding error of the averaging become ties."""
    import numpy as np

    size = np.maximum(1.0, np.maximum(np.abs(x), np.abs(y)))
    return np.asarray(np.where(np.abs(differences) <= 1e-12 * size, 0.0, differences), dtype=np.float64)
