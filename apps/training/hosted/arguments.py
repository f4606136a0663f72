"""A job's settings as the fine-tuning API names them."""

from __future__ import annotations

from typing import Any

from django.utils.text import slugify

from apps.training.hosted.methods import DPO, SFT
from apps.training.models import FineTuningJob
from apps.training.running.errors import JobFailure

_SUFFIX_CHARS = 40
_TYPES = {SFT: "supervised", DPO: "dpo"}


def job_arguments(job: FineTuningJob, training_file: str, validation_file: str) -> dict[str, Any]:
    """For `fine_tuning.jobs.create`; what a setting leaves to the provider is not sent.

    Raises JobFailure for a method that the API does not have.
    """
    if job.method not in _TYPES:
        raise JobFailure(
            "provider",
            f"No provider trains by {job.get_method_display()}.",
            ("Choose supervised fine-tuning or DPO, or train an adapter here.",),
        )
    kind = _TYPES[job.method]
    arguments: dict[str, Any] = {
        "model": str(job.base.get("model", "")),
        "training_file": training_file,
        "method": {"type": kind, kind: {"hyperparameters": hyperparameters(job)}},
        "seed": job.seed,
        "metadata": {"llmops_job": str(job.pk), "llmops_project": job.project.slug[:500]},
        # Some servers know the header and then make the job once, however often it is asked for.
        "extra_headers": {"Idempotency-Key": f"llmops-{job.pk}-{job.attempt}"},
    }
    if suffix := slugify(job.name)[:_SUFFIX_CHARS].strip("-"):
        arguments["suffix"] = suffix
    if validation_file:
        arguments["validation_file"] = validation_file
    return arguments


def hyperparameters(job: FineTuningJob) -> dict[str, Any]:
    found: dict[str, Any] = {}
    settings = job.settings
    if epochs := settings.get("epochs"):
        found["n_epochs"] = max(1, round(float(epochs)))
    if rows := settings.get("hosted_batch_size"):
        found["batch_size"] = int(rows)
    if multiplier := settings.get("learning_rate_multiplier"):
        found["learning_rate_multiplier"] = float(multiplier)
    if job.method == DPO and (beta := settings.get("beta")):
        found["beta"] = float(beta)
    return found
