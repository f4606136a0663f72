"""Computing a comparison: pairs of runs by example, metric by metric, with one correction over all of it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

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

log = logging.getLogger(__name__)

#: Of the bootstrap: the same comparison gives the same figures each time.
SEED = 20260101


def comparison_compute(comparison_id: UUID) -> None:
    """Compute and keep the statistics, unless a run is unfinished or they were made of these very runs."""
    comparison = (
        Comparison.objects.select_related("baseline")
        .prefetch_related("candidates")
        .filter(pk=comparison_id)
        .first()
    )
    if comparison is None:
        return
    by_id = {run.pk: run for run in comparison.candidates.all()}
    candidates = [by_id[run_id] for run_id in comparison.candidate_ids]
    runs = [comparison.baseline, *candidates]
    made_of = _fingerprint(runs, comparison.primary_metric)
    if any(run.finalized_at is None for run in runs) or made_of == comparison.result_made_of:
        return
    try:
        result, error = _result(comparison.baseline, candidates, comparison.primary_metric), ""
    except Exception as exc:
        log.exception("Comparison %s could not be computed", comparison.pk)
        result, error = None, f"The statistics could not be computed: {type(exc).__name__}: {exc}"
    Comparison.objects.filter(pk=comparison.pk).update(
        result=result, result_error=error, result_made_of=made_of, result_at=timezone.now()
    )


def _fingerprint(runs: list[EvalRun], primary: str) -> str:
    text = "|".join([primary, *(f"{run.pk}@{run.finalized_at}" for run in runs)])
    return hashlib.sha256(text.encode()).hexdigest()


def _result(baseline: EvalRun, candidates: list[EvalRun], primary: str) -> dict[str, Any]:
    base_values = values_by_example(baseline)
    base_metrics = metrics_of_run(baseline)
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
