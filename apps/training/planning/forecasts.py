"""Estimates of a job on the workers that live, from its rows, its base and its checks."""

from __future__ import annotations

from apps.core.errors import ProductError
from apps.training.models import FineTuningJob, TrainingWorker
from apps.training.planning.bases import base_of
from apps.training.planning.estimates import Estimate, Training, estimate, forecast_seconds
from apps.training.planning.setting import HOSTED
from apps.training.planning.situations import living_workers, row_counts


def training_of(job: FineTuningJob) -> Training | None:
    """None for a provider's training, and where the base is not there any more."""
    if job.technique == HOSTED:
        return None
    try:
        base = base_of(job.project, job.base)
    except ProductError:
        return None
    if base.shape is None:
        return None
    counted = job.checks.get("counts", {}).get("rows")
    rows, validation = (
        (counted["train"], counted["validation"]) if counted else row_counts(job.dataset_version)
    )
    return Training(
        method=job.method,
        technique=job.technique,
        settings=job.settings,
        shape=base.shape,
        rows=max(1, rows),
        validation_rows=validation,
        quantiles=job.checks.get("lengths", {}).get("quantiles", []),
        samples=len(job.sample_prompts),
        sweep=job.sweep,
    )


def estimates_of(job: FineTuningJob) -> list[Estimate]:
    """One for each worker that lives, GPUs first."""
    training = training_of(job)
    return [estimate(training, worker) for worker in living_workers()] if training else []


def forecast_of(job: FineTuningJob, worker: TrainingWorker) -> float:
    """Seconds, before what the worker's earlier jobs say of its forecasts; 0 where nothing can be said."""
    training = training_of(job)
    return forecast_seconds(training, worker) if training else 0.0
