"""What the tests and intervals of a comparison are called, and why they were taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.figures import PREFERENCE
from apps.evaluations.comparisons.words import interval, p_value

_TESTS = {
    "mcnemar_midp": "McNemar's test, mid-p",
    "mcnemar_exact": "McNemar's exact test",
    "mcnemar_chi_squared": "McNemar's chi-squared",
    "mcnemar_chi_squared_corrected": "McNemar's chi-squared, corrected",
    "clustered_t": "t-test with clustered errors",
    "paired_t": "Paired t-test",
    "t": "Paired t-test",
    "sign_exact": "Exact sign test",
    "wilcoxon": "Wilcoxon signed-rank test",
    "wilcoxon_signed_rank": "Wilcoxon signed-rank test",
    "bootstrap_bca": "Paired bootstrap (BCa)",
    "paired_bootstrap": "Paired bootstrap",
    "paired_bootstrap_corpus": "Paired resampling of the corpus",
    "sacrebleu_paired_bootstrap": "sacrebleu's paired bootstrap",
}
_INTERVALS = {
    "bonett_price": "Bonett–Price interval",
    "clustered_t": "clustered t interval",
    "bca": "bootstrap interval (BCa)",
    "bootstrap_bca": "bootstrap interval (BCa)",
    "percentile": "bootstrap interval (percentile)",
    "t": "t interval",
    "wilson": "Wilson interval",
    "wilson_clustered": "Wilson interval, by example",
    "normal": "normal interval",
    "constant": "",
}

_EFFECTS = {
    "cohens_g": "Cohen's g",
    "cohens_dz": "Cohen's d of the differences",
    "rank_biserial": "rank-biserial correlation",
}


@dataclass(frozen=True, slots=True)
class MethodLine:
    """One metric's test and interval by name, why, and what the others say: (name, text) each."""

    metric: Mapping[str, Any]
    test: str
    interval: str
    effect: str
    others: list[tuple[str, str]]


def method_lines(metrics: Iterable[Mapping[str, Any]]) -> list[MethodLine]:
    """How each metric was tested; tests that agree or not with the one that counts stand beside it."""
    return [
        MethodLine(
            metric=metric,
            test=test_name(metric.get("test")),
            interval=interval_name(metric.get("interval")),
            effect=_effect(metric),
            others=[*_other_tests(metric), *_other_intervals(metric)],
        )
        for metric in metrics
    ]


def tests_corrected(figures: Mapping[str, Any] | None) -> str:
    """Over what the p-values of part "metrics" are corrected: "6 tests (3 metrics × 2 candidates)".

    The number grows when votes come in or a candidate ends, and the corrected p-values with it.
    """
    entries = (figures or {}).get("candidates", [])
    tested = [metric for entry in entries for metric in entry["metrics"] if metric["p_value"] is not None]
    names = {(metric["name"], metric["source"]) for metric in tested}
    votes = ", votes included" if any(name == PREFERENCE for name, _ in names) else ""
    each = len(names) * len(entries) == len(tested)
    of = "×" if each else "in"
    metrics = f"{len(names)} {'metric' if len(names) == 1 else 'metrics'}"
    candidates = f"{len(entries)} {'candidate' if len(entries) == 1 else 'candidates'}"
    tests = f"{len(tested)} {'test' if len(tested) == 1 else 'tests'}"
    return f"{tests} ({metrics} {of} {candidates}{votes})"


def test_name(name: str | None) -> str:
    """A test as a person calls it; one not listed here by its own name."""
    return _TESTS.get(name or "", (name or "").replace("_", " ").capitalize())


def interval_name(name: str | None) -> str:
    """The same of an interval; "" where none was made."""
    return _INTERVALS.get(name or "", (name or "").replace("_", " "))


def _effect(metric: Mapping[str, Any]) -> str:
    size = metric.get("effect_size")
    if size is None:
        return ""
    name = str(metric.get("effect_size_name") or "")
    return f"{_EFFECTS.get(name, name.replace('_', ' '))} {size:.2f}".replace("-", "\N{MINUS SIGN}")


def _other_tests(metric: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(test_name(name), f"p {_p(value)}") for name, value in (metric.get("other_tests") or {}).items()]


def _other_intervals(metric: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = metric.get("other_intervals") or {}
    return [
        (_capitalised(interval_name(name)), interval(metric, low, high))
        for name, (low, high) in found.items()
        if low is not None and high is not None
    ]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _p(value: float | None) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
