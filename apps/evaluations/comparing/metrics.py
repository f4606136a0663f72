"""Computing a comparison: pairs of runs by example, metric by metric, with one correction over all of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.score_values import (
    Metric,
    Values,
    example_ids,
    measured_by_example,
    metrics_of_run,
    values_by_example,
)
from apps.evaluations.statistics import holm, paired_comparison

#: Of the bootstrap: the same comparison gives the same figures each time.
SEED = 20260101


def metrics_part(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], column: str
) -> dict[str, Any]:
    """Every metric of every candidate against the baseline, paired by example."""
    base_values = values_by_example(baseline)
    base_metrics = metrics_of_run(baseline)
    primary = comparison.primary_metric
    answers = [_against(baseline, base_values, base_metrics, run, primary) for run in candidates]
    _adjust([metric for answer in answers for metric in answer["metrics"]])
    return {"candidates": answers}


def _against(
    baseline: EvalRun,
    base_values: dict[tuple[str, str], Values],
    base_metrics: list[Metric],
    candidate: EvalRun,
    primary: str,
) -> dict[str, Any]:
    values = values_by_example(candidate)
    theirs = {(metric.name, metric.source) for metric in metrics_of_run(candidate)}
    planned = example_ids(baseline) | example_ids(candidate)
    shared = [metric for metric in base_metrics if (metric.name, metric.source) in theirs]
    return {
        "run": str(candidate.pk),
        "metrics": [
            _metric(metric, base_values, values, planned, primary=metric.name == primary) for metric in shared
        ],
        "latency": _measured(baseline, candidate, "latency_ms", "ms"),
        "cost": _measured(baseline, candidate, "cost_usd", "usd"),
    }


def _metric(
    metric: Metric,
    baseline: dict[tuple[str, str], Values],
    candidate: dict[tuple[str, str], Values],
    planned: set[str],
    *,
    primary: bool,
) -> dict[str, Any]:
    """One row of the comparison; the examples of either run that one side has no value for are missing."""
    key = (metric.name, metric.source)
    found = paired_comparison(
        baseline.get(key, {}),
        candidate.get(key, {}),
        scale=metric.scale,
        direction=metric.direction or None,
        examples=planned,
        seed=SEED,
    )
    described = {
        "name": metric.name,
        "title": metric.title,
        "source": metric.source,
        "primary": primary,
        "direction": metric.direction,
        "scale": metric.scale,
        "unit": metric.unit,
        "p_adjusted": None,
        "baseline_mean": found.baseline_mean,
        "candidate_mean": found.candidate_mean,
    }
    return described | asdict(found)


def _measured(baseline: EvalRun, candidate: EvalRun, column: str, unit: str) -> dict[str, Any]:
    """Latency or cost of a call, paired by example; medians beside means for the long tail."""
    first, second = measured_by_example(baseline, column), measured_by_example(candidate, column)
    found = paired_comparison(first, second, scale="continuous", direction="lower", seed=SEED)
    return {
        "unit": unit,
        "n": found.n,
        "baseline_mean": found.baseline_mean,
        "candidate_mean": found.candidate_mean,
        "baseline_median": _median(first),
        "candidate_median": _median(second),
        "baseline_total": _total(first),
        "candidate_total": _total(second),
        "difference": found.difference,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
    }


def _median(values: Values) -> float | None:
    return float(np.median([value for several in values.values() for value in several])) if values else None


def _total(values: Values) -> float | None:
    return sum(sum(several) for several in values.values()) if values else None


def _adjust(metrics: list[dict[str, Any]]) -> None:
    """Holm's correction over every metric and candidate shown."""
    for metric, adjusted in zip(metrics, holm([metric["p_value"] for metric in metrics]), strict=True):
        metric["p_adjusted"] = adjusted
