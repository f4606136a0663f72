"""Is the candidate better than the baseline on the examples that both have? One metric, one named test."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .continuous import RESAMPLES
from .intervals import MeanInterval, label_codes, standard_error
from .samples import Sample
from .verdict import Scale, judge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Labels

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
    #: Of the difference; between groups, where the examples come in groups.
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
    planned = sorted(set(examples) if examples is not None else baseline.keys() | candidate.keys())
    numbers = {key: number for number, key in enumerate(planned)}
    return paired_samples(
        _sample(baseline, numbers),
        _sample(candidate, numbers),
        examples=len(planned),
        scale=scale,
        direction=direction,
        groups=None if clusters is None else [clusters.get(key, ("alone", key)) for key in planned],
        seed=seed,
        resamples=resamples,
    )


def paired_samples(
    baseline: Sample,
    candidate: Sample,
    *,
    examples: int,
    scale: Scale,
    direction: Direction | None = "higher",
    groups: Labels | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PairedResult:
    """The same of numbered examples, 0 to `examples` - 1; `groups` has a label for each of them."""
    import numpy as np

    base, cand = baseline.finite(), candidate.finite()
    base_means, cand_means = base.means(examples), cand.means(examples)
    paired = np.isfinite(base_means) & np.isfinite(cand_means)
    x, y = base_means[paired], cand_means[paired]
    differences = without_rounding(y - x, x, y)
    verdict = judge(
        x,
        y,
        differences,
        scale=scale,
        repeated=base.repeats(paired) or cand.repeats(paired),
        groups=None if groups is None else label_codes(groups)[paired],
        seed=seed,
        resamples=resamples,
    )
    n = int(paired.sum())
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    wins, losses = (lost, gained) if direction == "lower" else (gained, lost)
    error = verdict.result.standard_error
    if error is None and n > 1:
        error = standard_error(differences)
    return PairedResult(
        n=n,
        missing=examples - n,
        missing_in_baseline=int(np.isnan(base_means).sum()),
        missing_in_candidate=int(np.isnan(cand_means).sum()),
        baseline=base.interval(paired, scale),
        candidate=cand.interval(paired, scale),
        difference=float(differences.mean()) if n else None,
        standard_error=error,
        ci_low=_bounded(verdict.result.low, scale),
        ci_high=_bounded(verdict.result.high, scale),
        interval=verdict.interval,
        p_value=verdict.result.p_value,
        test=verdict.test,
        reason=verdict.reason,
        wins=wins,
        ties=n - gained - lost,
        losses=losses,
        effect_size=verdict.effect_size,
        effect_size_name=verdict.effect_size_name,
        other_tests=verdict.other_tests,
        other_intervals=verdict.other_intervals,
    )


def _bounded(end: float | None, scale: Scale) -> float | None:
    """An end of the interval; shares differ by no more than all."""
    return end if end is None or scale != "binary" else max(-1.0, min(1.0, end))


def _sample(scores: Scores, numbers: Mapping[str, int]) -> Sample:
    import numpy as np

    pairs = [
        (number, value)
        for key, values in scores.items()
        if (number := numbers.get(key)) is not None
        for value in ([values] if isinstance(values, int | float) else values)
    ]
    return Sample(
        np.array([number for number, _ in pairs], dtype=np.intp),
        np.array([value for _, value in pairs], dtype=np.float64),
    )


def without_rounding(differences: Floats, x: Floats, y: Floats) -> Floats:
    """Differences that are only rounding error of the averaging become ties."""
    import numpy as np

    size = np.maximum(1.0, np.maximum(np.abs(x), np.abs(y)))
    return np.asarray(np.where(np.abs(differences) <= 1e-12 * size, 0.0, differences), dtype=np.float64)
