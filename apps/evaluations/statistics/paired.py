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

NOTHING = MeanInterval(0, 0, None, None, None, "")


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

    base, cand = _example_means(baseline), _example_means(candidate)
    planned = set(examples) if examples is not None else base.keys() | cand.keys()
    keys = sorted(base.keys() & cand.keys() & planned)
    x = np.array([base[key] for key in keys], dtype=float)
    y = np.array([cand[key] for key in keys], dtype=float)
    differences = _without_rounding(y - x, x, y)
    repeated = _is_repeated(baseline, keys) or _is_repeated(candidate, keys)
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
        baseline=_marginal(baseline, keys, scale),
        candidate=_marginal(candidate, keys, scale),
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


def _example_means(scores: Scores) -> dict[str, float]:
    """Each example's mean over its finite values; an example without one is missing."""
    means: dict[str, float] = {}
    for key, values in scores.items():
        finite = [
            float(v) for v in ([values] if isinstance(values, int | float) else values) if math.isfinite(v)
        ]
        if finite:
            means[key] = finite[0] if len(finite) == 1 else math.fsum(finite) / len(finite)
    return means


def _marginal(scores: Scores, keys: list[str], scale: Scale) -> MeanInterval:
    """The mean of one side over the paired examples, with its own interval."""
    if not keys:
        return NOTHING
    values: list[float] = []
    labels: list[str] = []
    for key in keys:
        entry = scores[key]
        own = [entry] if isinstance(entry, int | float) else list(entry)
        values += own
        labels += [key] * len(own)
    return mean_interval(
        values, binary=scale == "binary", clusters=labels if len(labels) > len(keys) else None
    )


def _is_repeated(scores: Scores, keys: list[str]) -> bool:
    return any(not isinstance(entry := scores[key], int | float) and len(entry) > 1 for key in keys)


def _without_rounding(differences: Floats, x: Floats, y: Floats) -> Floats:
    """Differences that are only rounding error of the averaging become ties."""
    import numpy as np

    size = np.maximum(1.0, np.maximum(np.abs(x), np.abs(y)))
    return np.asarray(np.where(np.abs(differences) <= 1e-12 * size, 0.0, differences), dtype=np.float64)
