"""Which test fits, what it says, and why that one: binary, ordinal, continuous or grouped examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from . import binary, continuous
from .intervals import label_codes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Labels

    Floats = NDArray[np.float64]

Scale = Literal["binary", "continuous", "ordinal"]

BOOTSTRAP_LIMIT = 2_000
#: Of fewer pairs the bootstrap calls 7% to 13% of equal runs different at 5%, Student's t about 5%.
BOOTSTRAP_MINIMUM = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test says; the part of a PairedResult that depends on the scale."""

    result: continuous.TestResult
    interval: str
    test: str
    reason: str
    effect_size: float | None = None
    effect_size_name: str = ""
    other_tests: dict[str, float] = field(default_factory=dict)
    other_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


UNKNOWN = continuous.TestResult(None, None, None)


def judge(
    x: Floats,
    y: Floats,
    differences: Floats,
    *,
    scale: Scale,
    repeated: bool,
    groups: Labels | None,
    seed: int,
    resamples: int,
) -> Verdict:
    """Test paired scores `x` (baseline) and `y` (candidate) with their differences, float arrays of shape
    (n,).
    """
    if differences.size == 0:
        return Verdict(UNKNOWN, "", "", "No example has this score in both runs.")
    if groups is not None:
        codes = label_codes(groups)
        count = int(codes.max()) + 1
        if count < differences.size:
            return _clustered(differences, codes, count, without_spread(differences, x, y))
    if scale == "binary" and not repeated and _is_binary(x) and _is_binary(y):
        return _binary(x, y)
    if differences.size == 1:
        return Verdict(UNKNOWN, "", "", "One example alone gives neither an interval nor a test.")
    if without_spread(differences, x, y):
        return _constant(differences)
    return _numeric(differences, scale=scale, repeated=repeated, seed=seed, resamples=resamples)


def _binary(x: Floats, y: Floats) -> Verdict:
    counts = binary.PairedCounts(
        both=int(((x == 1) & (y == 1)).sum()),
        only_candidate=int(((x == 0) & (y == 1)).sum()),
        only_baseline=int(((x == 1) & (y == 0)).sum()),
        neither=int(((x == 0) & (y == 0)).sum()),
    )
    low, high = binary.bonett_price_interval(counts)
    chi_squared, chi_squared_p = binary.mcnemar_chi_squared(counts)
    normal = binary.normal_interval(counts)
    others = {
        "mcnemar_exact": binary.mcnemar_exact(counts),
        "mcnemar_chi_squared": chi_squared_p,
        "mcnemar_chi_squared_corrected": binary.mcnemar_chi_squared(counts, continuity_correction=True)[1],
    }
    differences = y - x
    if counts.n > 1 and float(differences.max()) != float(differences.min()):
        t_p = continuous.paired_t(differences).p_value
        others |= {} if t_p is None else {"paired_t": t_p}
    return Verdict(
        continuous.TestResult(low, high, binary.mcnemar_midp(counts)),
        interval="bonett_price",
        test="mcnemar_midp",
        reason="Each example is right or wrong in both runs, so the pairs that differ decide "
        f"({counts.only_candidate} up, {counts.only_baseline} down; chi-squared {chi_squared:.3f}).",
        effect_size=counts.only_candidate / counts.discordant - 0.5 if counts.discordant else None,
        effect_size_name="cohens_g",
        other_tests=others,
        other_intervals={} if normal is None else {"normal": normal},
    )


def _clustered(differences: Floats, groups: NDArray[np.intp], count: int, constant: bool) -> Verdict:
    if constant and not differences.any():
        return _constant(differences)
    result = continuous.clustered_t(differences, groups)
    if result.standard_error == 0:
        return _equal_groups(differences, count)
    if result.p_value is None:
        return Verdict(
            UNKNOWN, "", "", "All examples are in one group, which gives neither an interval nor a test."
        )
    return Verdict(
        result,
        interval="clustered_t",
        test="clustered_t",
        reason=f"The examples come in {count} groups, within which they may go together, so the "
        "standard error is taken between groups.",
        effect_size=_standardised(differences),
        effect_size_name="cohens_dz",
    )


def _equal_groups(differences: Floats, count: int) -> Verdict:
    """Groups that all changed by the same mean: as with equal pairs, the signs alone can be tested."""
    value = float(differences.mean())
    if abs(value) <= continuous.ROUNDING * float(abs(differences).max()):
        said = f"In each of the {count} groups the changes cancel out, so there is no spread to measure by."
        return Verdict(UNKNOWN, "", "", said)
    return Verdict(
        continuous.TestResult(value, value, continuous.sign_test_p(count, 0)),
        "constant",
        "sign_exact",
        f"The {count} groups of examples changed by the same amount, so there is no spread between them to "
        "measure by; only their signs are tested.",
    )


def _constant(differences: Floats) -> Verdict:
    value, n = float(differences.mean()), differences.size
    if not differences.any():
        return Verdict(
            continuous.TestResult(0.0, 0.0, 1.0),
            "constant",
            "sign_exact",
            f"All {n} pairs have the same score.",
        )
    return Verdict(
        continuous.TestResult(value, value, continuous.sign_test_p(n, 0)),
        interval="constant",
        test="sign_exact",
        reason=f"All {n} pairs differ by exactly the same amount, so there is no spread to measure by; only "
        "the signs are tested.",
        other_tests={"wilcoxon": continuous.wilcoxon_p(differences)},
    )


def _numeric(differences: Floats, *, scale: Scale, repeated: bool, seed: int, resamples: int) -> Verdict:
    n = differences.size
    bootstraps = BOOTSTRAP_MINIMUM <= n <= BOOTSTRAP_LIMIT
    by_t = continuous.paired_t(differences)
    result = continuous.bootstrap_bca(differences, seed=seed, resamples=resamples) if bootstraps else by_t
    name = "bootstrap_bca" if bootstraps else "paired_t"
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    others = {
        "wilcoxon": continuous.wilcoxon_p(differences),
        "sign_exact": continuous.sign_test_p(gained, lost),
    }
    if by_t.p_value is not None:
        others["paired_t"] = by_t.p_value
    if bootstraps and result.p_value is not None:
        others["bootstrap_bca"] = result.p_value
    test, reason = _choice(scale, n, name, repeated)
    p_value = others.pop(test)
    intervals = (
        {"t": (by_t.low, by_t.high)} if by_t.low is not None and by_t.high is not None and bootstraps else {}
    )
    ordinal = scale == "ordinal"
    return Verdict(
        continuous.TestResult(result.low, result.high, p_value),
        interval="bca" if bootstraps else "t",
        test=test,
        reason=reason,
        effect_size=continuous.rank_biserial(differences) if ordinal else _standardised(differences),
        effect_size_name="rank_biserial" if ordinal else "cohens_dz",
        other_tests=others,
        other_intervals=intervals,
    )


def _choice(scale: Scale, n: int, numeric_test: str, repeated: bool) -> tuple[str, str]:
    averaged = " Repetitions of an example were averaged first." if repeated else ""
    if scale == "ordinal":
        return "wilcoxon", "The score is a rank on a scale, so ranks of the changes are compared." + averaged
    if numeric_test == "bootstrap_bca":
        return (
            numeric_test,
            f"Resampling the {n} pairs needs no assumption about the shape of the scores." + averaged,
        )
    if n < BOOTSTRAP_MINIMUM:
        return numeric_test, f"With only {n} pairs resampling would understate the spread." + averaged
    return (
        numeric_test,
        f"With {n} pairs the mean difference is close to normal, and t is exact enough." + averaged,
    )


def without_spread(differences: Floats, x: Floats, y: Floats) -> bool:
    """Whether all differences are the same but for the rounding of `x` and `y`."""
    size = max(1.0, float(abs(x).max()), float(abs(y).max()))
    return float(differences.max() - differences.min()) <= continuous.ROUNDING * size


def _is_binary(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _standardised(differences: Floats) -> float | None:
    """Cohen's d of paired differences: their mean over their standard deviation (Cohen 1988, eq. 2.3.5)."""
    if differences.size < 2:
        return None
    spread = float(differences.std(ddof=1))
    return float(differences.mean()) / spread if spread > 0 else None
