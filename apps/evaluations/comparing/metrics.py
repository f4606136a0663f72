"""Part "metrics": every metric of every candidate against the baseline, under one correction for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from apps.evaluations.comparing.columns import telling_columns, texts_of
from apps.evaluations.comparing.corpus import Corpora
from apps.evaluations.comparing.lacking import Changes
from apps.evaluations.comparing.loading import Ints, Rows, RunRows, load_rows
from apps.evaluations.comparing.measures import Pair, item_metric, preference_metric, run_metric
from apps.evaluations.comparing.shared_metrics import SharedMetric, metrics_of, shared_metrics
from apps.evaluations.comparing.votes import SOURCES, Votes, load_votes
from apps.evaluations.models import Comparison, EvalRun, RunMetric
from apps.evaluations.statistics import holm
from apps.evaluations.statistics.samples import Sample


def metrics_part(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], column: str
) -> dict[str, Any]:
    """The part as it is kept. `column` names what the examples come in groups of; "" where they do not."""
    runs = [baseline, *candidates]
    rows = load_rows(runs)
    groups = _groups(rows, column) if column else None
    votes, corpora, changes = load_votes(runs, rows), Corpora(runs, rows, groups), Changes(rows)
    base_metrics = metrics_of(baseline, rows.runs[baseline.pk])
    answers: list[dict[str, Any]] = []
    for place, candidate in enumerate(candidates, start=1):
        unpaired, changed = changes.unpaired(rows.runs[baseline.pk], rows.runs[candidate.pk])
        pair = Pair.of(rows, baseline, candidate, ~changed, groups)
        shared = shared_metrics(base_metrics, candidate, pair.cand)
        metrics = _compared(pair, shared, corpora, {name: votes[name].between(place, 0) for name in votes})
        answers.append(
            {
                "run": str(candidate.pk),
                "metrics": metrics,
                "latency": _measured(pair, pair.base.latency_ms, pair.cand.latency_ms, "ms"),
                "cost": _measured(pair, pair.base.cost_usd, pair.cand.cost_usd, "usd"),
                "unpaired": unpaired,
            }
        )
    _mark_primary(answers, comparison.primary_metric)
    _adjust([metric for answer in answers for metric in answer["metrics"]])
    return {"runs": _runs(runs, rows), "columns": telling_columns(baseline), "candidates": answers}


def _compared(
    pair: Pair, shared: Sequence[SharedMetric], corpora: Corpora, votes: dict[str, Votes]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any] | None] = [
        item_metric(pair, metric) if metric.level == "item" else run_metric(pair, metric, corpora)
        for metric in shared
    ]
    found += [preference_metric(pair, votes[source], source) for source in SOURCES if source in votes]
    return [{"primary": False, "p_adjusted": None, **metric} for metric in found if metric is not None]


def _groups(rows: Rows, column: str) -> Ints:
    """A number for each example's value in the column; an example without one is a group of its own."""
    labels = [texts or (number,) for number, texts in enumerate(texts_of(rows, column))]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels], dtype=np.intp)


def _mark_primary(answers: list[dict[str, Any]], primary: str) -> None:
    """The first of that name, should several sources have one."""
    for answer in answers:
        named = (metric for metric in answer["metrics"] if metric["name"] == primary)
        for metric in [next(named, None)]:
            if metric is not None:
                metric["primary"] = True


def _adjust(metrics: list[dict[str, Any]]) -> None:
    """Holm's correction over every metric and candidate shown, votes among them."""
    for metric, adjusted in zip(metrics, holm([metric["p_value"] for metric in metrics]), strict=True):
        metric["p_adjusted"] = adjusted


def _measured(pair: Pair, first: Sample | None, second: Sample | None, unit: str) -> dict[str, Any]:
    """Latency or cost of a call, paired by example; medians beside means for the long tail."""
    found = pair.compare(first, second, {"scale": "continuous", "direction": "lower"})
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


def _median(sample: Sample | None) -> float | None:
    return float(np.median(sample.values)) if sample is not None and sample.values.size else None


def _total(sample: Sample | None) -> float | None:
    return float(sample.values.sum()) if sample is not None and sample.values.size else None


def _runs(runs: Sequence[EvalRun], rows: Rows) -> list[dict[str, Any]]:
    """Each run by itself, over all its rows."""
    summaries: dict[UUID, dict[tuple[str, str], RunMetric]] = defaultdict(dict)
    for summary in RunMetric.objects.filter(run__in=runs):
        summaries[summary.run_id][summary.name, summary.source] = summary
    return [
        {
            "run": str(run.pk),
            "metrics": [
                _summary(metric, summaries[run.pk][metric.key])
                for metric in metrics_of(run, rows.runs[run.pk])
                if metric.key in summaries[run.pk]
            ],
            **_resources(rows.runs[run.pk]),
        }
        for run in runs
    ]


def _summary(metric: SharedMetric, kept: RunMetric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "source": metric.source,
        "title": metric.title,
        "n": kept.n,
        "mean": kept.mean,
        "low": kept.ci_low,
        "high": kept.ci_high,
    }


def _resources(run: RunRows) -> dict[str, Any]:
    found: dict[str, Any] = {"latency_ms": None, "cost_usd": None}
    for name, sample in (("latency_ms", run.latency_ms), ("cost_usd", run.cost_usd)):
        if sample is not None and sample.values.size:
            n, mean = int(sample.values.size), float(sample.values.mean())
            found[name] = {"n": n, "mean": mean}
    if found["latency_ms"]:
        found["latency_ms"]["median"] = _median(run.latency_ms)
    if found["cost_usd"]:
        found["cost_usd"]["total"] = _total(run.cost_usd)
    return found
