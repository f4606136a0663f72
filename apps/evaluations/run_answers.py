"""Runs and results as the JSON that REST answers: plain dictionaries, a fixed number of queries a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.evaluations.models import EvalItem, EvalRun, RunMetric
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import RunCounts, RunUsage, counts_of, usage_of
from apps.evaluations.spending import RunBudget, budgets_of


def runs_json(runs: Sequence[EvalRun]) -> list[dict[str, Any]]:
    """Each run with counts, usage, budget and metrics: four queries, however many runs."""
    counts, usage, metrics, budgets = counts_of(runs), usage_of(runs), _metrics_of(runs), budgets_of(runs)
    return [_run_json(run, counts[run.pk], usage[run.pk], metrics[run.pk], budgets[run.pk]) for run in runs]


def _run_json(
    run: EvalRun, counts: RunCounts, usage: RunUsage, metrics: list[RunMetric], budget: RunBudget
) -> dict[str, Any]:
    prompt = run.prompt_version
    return {
        "id": str(run.pk),
        "number": run.number,
        "name": run.name,
        "status": run.status,
        "status_reason": run.status_reason or None,
        "dataset": run.dataset_version.dataset.slug,
        "dataset_version": run.dataset_version.number,
        "prompt": prompt.prompt.slug if prompt else None,
        "prompt_version": prompt.number if prompt else None,
        "model": run.model_name or None,
        "recorded": run.recorded,
        "repetitions": run.repetitions,
        "seed": run.seed,
        "max_concurrency": run.max_concurrency,
        "use_cache": run.use_cache,
        "primary_metric": planned_primary(run) or None,
        "rerun_of": None if run.rerun_of_id is None else str(run.rerun_of_id),
        "budget": {
            "usd": _money(run.budget_usd),
            "tokens": run.budget_tokens,
            "spent_usd": _money(budget.spent_usd),
            "spent_tokens": budget.spent_tokens,
            "left_usd": _money(budget.left_usd),
            "left_tokens": budget.left_tokens,
        },
        "created_at": iso_time(run.created_at),
        "started_at": iso_time(run.started_at),
        "finished_at": iso_time(run.finished_at),
        "finalized": run.finalized_at is not None,
        "counts": {
            "total": run.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "cancelled": counts.cancelled,
            "pending": run.total - counts.completed - counts.failed - counts.cancelled,
        },
        "usage": _usage_json(usage),
        "metrics": [
            {
                "name": metric.name,
                "source": metric.source,
                "n": metric.n,
                "missing": metric.missing,
                "mean": metric.mean,
                "ci_low": metric.ci_low,
                "ci_high": metric.ci_high,
                "spread": metric.spread,
                "detail": metric.shown,
            }
            for metric in metrics
        ],
    }


def _usage_json(usage: RunUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": None if usage.cost_usd is None else plain(usage.cost_usd),
        "judge_cost_usd": plain(usage.judge_cost_usd),
        "cached": usage.cached,
    }


def _metrics_of(runs: Sequence[EvalRun]) -> dict[UUID, list[RunMetric]]:
    found: dict[UUID, list[RunMetric]] = defaultdict(list)
    for metric in RunMetric.objects.filter(run__in=[run.pk for run in runs]).order_by("id"):
        found[metric.run_id].append(metric)
    return found


def result_json(item: EvalItem) -> dict[str, Any]:
    """One item; its example and scores are fetched already."""
    answered = item.status in ("answered", "completed")
    return {
        "id": str(item.pk),
        "example": {
            "key": item.example_key,
            "inputs": item.example.inputs,
            "reference": item.example.reference,
            "metadata": item.example.metadata,
            "split": item.example.split,
        },
        "repetition": item.repetition,
        "status": item.status,
        "output": item.output if answered else None,
        "error": item.error or None,
        "finish_reason": item.finish_reason or None,
        "attempts": item.attempts,
        "scores": [
            {"metric": score.metric, "value": score.value, "source": score.source, "detail": score.detail}
            for score in item.scores.all()
        ],
        "latency_ms": item.latency_ms,
        "usage": {
            "input_tokens": item.input_tokens,
            "output_tokens": item.output_tokens,
            "cost_usd": None if item.cost_usd is None else plain(item.cost_usd),
        },
    }


def plain(value: Any) -> str:
    """A decimal without exponent or trailing zeros: "0.0021"."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _money(value: Any) -> str | None:
    return None if value is None else plain(value)


def iso_time(value: Any) -> str | None:
    """A moment as REST says it: "2026-01-31T09:00:00Z"."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")
