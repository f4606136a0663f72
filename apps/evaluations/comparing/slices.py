"""Part "slices": each metric by the values of one metadata column, corrected for their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.evaluations.comparing.columns import texts_of
from apps.evaluations.comparing.lacking import Changes
from apps.evaluations.comparing.loading import Rows, load_rows
from apps.evaluations.comparing.measures import NOTHING, SEED, Pair
from apps.evaluations.comparing.shared_metrics import SharedMetric, metrics_of, shared_metrics
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.statistics import holm
from apps.evaluations.statistics.paired import PairedResult, paired_samples

MOST_GROUPS = 50
#: What the rarest values go by together, and the examples that have none.
REST = None
NONE = ""
LEVEL = 0.05
#: Fewer than for a whole metric: there are many slices, and their p-values are corrected upwards.
RESAMPLES = 1_999

Mask = NDArray[np.bool_]


def slices_part(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], column: str
) -> dict[str, Any]:
    """`column` is a metadata column or "@split". An example with a list there (tags) is in several slices."""
    runs = [baseline, *candidates]
    rows = load_rows(runs)
    changes = Changes(rows)
    groups = _groups(texts_of(rows, column), rows.size)
    base_metrics = metrics_of(baseline, rows.runs[baseline.pk])
    answers = []
    for candidate in candidates:
        _, changed = changes.unpaired(rows.runs[baseline.pk], rows.runs[candidate.pk])
        shared = shared_metrics(base_metrics, candidate, rows.runs[candidate.pk])
        metrics = [
            _sliced(rows, baseline, candidate, metric, groups, ~changed)
            for metric in shared
            if metric.level == "item"
        ]
        answers.append({"run": str(candidate.pk), "metrics": metrics})
    return {
        "column": column,
        "groups": [{"value": value, "n": int(mask.sum())} for value, mask in groups.items()],
        "candidates": answers,
    }


def _groups(texts: Sequence[tuple[str, ...]], size: int) -> dict[str | None, Mask]:
    """Value → its examples, largest first; the rarest as one, then those without a value."""
    counts = Counter(text for several in texts for text in several)
    frequent = [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    named = frequent[:MOST_GROUPS]
    groups: dict[str | None, Mask] = {value: np.zeros(size, dtype=bool) for value in [*named, REST, NONE]}
    for number, several in enumerate(texts):
        for text in several or (NONE,):
            groups[text if text in groups else REST][number] = True
    return {value: mask for value, mask in groups.items() if mask.any()}


def _sliced(
    rows: Rows,
    baseline: EvalRun,
    candidate: EvalRun,
    metric: SharedMetric,
    groups: dict[str | None, Mask],
    counted: Mask,
) -> dict[str, Any]:
    found = []
    for value, mask in groups.items():
        pair = Pair.of(rows, baseline, candidate, counted & mask)
        found.append((value, _compared(pair, metric)))
    adjusted = holm([result.p_value for _, result in found])
    return {
        "name": metric.name,
        "source": metric.source,
        "groups": [
            _group(value, result, p, metric) for (value, result), p in zip(found, adjusted, strict=True)
        ],
    }


def _compared(pair: Pair, metric: SharedMetric) -> PairedResult:
    base, cand = pair.base.scores.get(metric.key, NOTHING), pair.cand.scores.get(metric.key, NOTHING)
    return paired_samples(
        pair.narrowed(base),
        pair.narrowed(cand),
        examples=int(pair.counted.sum()),
        scale=metric.scale,
        direction=metric.direction or None,
        seed=SEED,
        resamples=RESAMPLES,
    )


def _group(
    value: str | None, found: PairedResult, adjusted: float | None, metric: SharedMetric
) -> dict[str, Any]:
    return {
        "value": value,
        "n": found.n,
        "baseline_mean": found.baseline_mean,
        "candidate_mean": found.candidate_mean,
        "difference": found.difference,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p_value": found.p_value,
        "p_adjusted": adjusted,
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        "test": found.test,
        "detail": found.reason,
        "worse": _worse(found, adjusted, metric),
    }


def _worse(found: PairedResult, adjusted: float | None, metric: SharedMetric) -> bool:
    """Clearly worse: after the correction, and by the interval."""
    low, high = found.ci_low, found.ci_high
    if adjusted is None or adjusted >= LEVEL or low is None or high is None:
        return False
    return low > 0 if metric.direction == "lower" else metric.direction == "higher" and high < 0
