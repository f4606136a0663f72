"""Part "distributions": how the values of each metric lie in each run, and how they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.evaluations.comparing.loading import Rows, RunRows, load_rows
from apps.evaluations.comparing.shared_metrics import SharedMetric, metrics_of
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.statistics.paired import without_rounding
from apps.evaluations.statistics.samples import Sample

BINS = 24
#: Up to so many different values are shown one by one.
MOST_VALUES = 11

Floats = NDArray[np.float64]


def distributions_part(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], column: str
) -> dict[str, Any]:
    """Histograms of the item metrics that the baseline has, latency and cost among them, on shared bins."""
    runs = [baseline, *candidates]
    rows = load_rows(runs)
    metrics = [one for one in metrics_of(baseline, rows.runs[baseline.pk]) if one.level == "item"]
    columns = [(metric, _samples(rows, runs, metric)) for metric in [*metrics, *_MEASURED]]
    return {
        "metrics": [_histogram(metric, runs, samples) for metric, samples in columns if _any(samples)],
        "changes": [
            change
            for metric, samples in columns
            for candidate, sample in zip(candidates, samples[1:], strict=True)
            if (change := _change(metric, candidate, samples[0], sample, rows.size)) is not None
        ],
    }


def _measured(name: str, title: str, unit: str) -> SharedMetric:
    return SharedMetric(name, "measured", title, "item", "lower", "continuous", unit, None, None)


_MEASURED = (
    _measured("latency_ms", "Latency of a call", "ms"),
    _measured("cost_usd", "Cost of a call", "usd"),
)


def _samples(rows: Rows, runs: Sequence[EvalRun], metric: SharedMetric) -> list[Sample | None]:
    def of(run: RunRows) -> Sample | None:
        if metric.source == "measured":
            return run.latency_ms if metric.name == "latency_ms" else run.cost_usd
        found = run.scores.get(metric.key)
        return None if found is None else found.finite()

    return [of(rows.runs[run.pk]) for run in runs]


def _any(samples: Sequence[Sample | None]) -> bool:
    return any(sample is not None and sample.values.size for sample in samples)


def _histogram(
    metric: SharedMetric, runs: Sequence[EvalRun], samples: Sequence[Sample | None]
) -> dict[str, Any]:
    seen = np.concatenate([sample.values for sample in samples if sample is not None])
    values = np.unique(seen)
    single = values.size <= MOST_VALUES
    edges = None if single else _edges(seen)
    return {
        "name": metric.name,
        "source": metric.source,
        "title": metric.title,
        "unit": metric.unit,
        "edges": None if edges is None else edges.tolist(),
        "values": values.tolist() if single else None,
        "runs": [
            {"run": str(run.pk), "counts": _counts(sample, values, edges)}
            for run, sample in zip(runs, samples, strict=True)
        ],
    }


def _counts(sample: Sample | None, values: Floats, edges: Floats | None) -> list[int]:
    given = np.empty(0) if sample is None else sample.values
    if edges is None:
        return [int((given == value).sum()) for value in values]
    return [int(count) for count in np.histogram(given, edges)[0]]


def _edges(seen: Floats) -> Floats:
    """Equal bins from end to end; where a long tail would leave all in one bin, the tail shares the last."""
    low, high = float(seen.min()), float(seen.max())
    most = float(np.quantile(seen, 0.99))
    if high - low > 4 * (most - low) > 0:
        return np.append(np.linspace(low, most, BINS), high)
    return np.linspace(low, high, BINS + 1)


def _change(
    metric: SharedMetric, candidate: EvalRun, base: Sample | None, cand: Sample | None, size: int
) -> dict[str, Any] | None:
    """How the examples' values change, candidate less baseline; bins are the same on both sides of zero."""
    if base is None or cand is None:
        return None
    x, y = base.means(size), cand.means(size)
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return None
    changes = without_rounding(y[both] - x[both], x[both], y[both])
    reach = float(np.abs(changes).max()) or 1.0
    # An odd number of bins: one holds zero in its middle.
    edges = np.linspace(-reach, reach, BINS)
    return {
        "run": str(candidate.pk),
        "name": metric.name,
        "source": metric.source,
        "edges": edges.tolist(),
        "counts": [int(count) for count in np.histogram(changes, edges)[0]],
    }
