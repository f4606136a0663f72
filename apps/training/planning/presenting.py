"""A draft as its page shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.core.errors import ProductError
from apps.training.models import FineTuningJob
from apps.training.planning.bases import base_label
from apps.training.planning.catalogue import warnings_of
from apps.training.planning.estimates import Estimate, estimate
from apps.training.planning.forecasts import training_of
from apps.training.planning.judging import BLOCKS, made_of, problems_of
from apps.training.planning.plan_form import PlanForm
from apps.training.planning.setting import HOSTED
from apps.training.planning.situations import living_workers

_WAITING = ("pending", "running")
_METHODS = {
    "sft": "SFT: the answers are imitated",
    "dpo": "DPO: chosen answers become likelier than rejected ones",
    "kto": "KTO: good answers become likelier, bad ones less likely",
}


def plan_shown(job: FineTuningJob, form: PlanForm) -> dict[str, Any]:
    """Everything of the page but its form: facts, checks, preview, estimates."""
    state = job.checks.get("state", "")
    current = job.checks.get("made_of") == made_of(job)
    problems = problems_of(job) if state == "done" else []
    return {
        "job": job,
        "base_label": base_label(job),
        "method_words": _METHODS[job.method],
        "hosted": job.technique == HOSTED,
        "waiting": state in _WAITING,
        "starts_then": bool(job.checks.get("then_start")),
        "state": state if current else "old",
        "problems": problems,
        "blocked": any(problem.weight == BLOCKS for problem in problems),
        "counts": job.checks.get("counts", {}),
        "lengths": lengths_shown(job),
        "rows": job.checks.get("rows", []) if state == "done" else [],
        **estimates_shown(job, form),
    }


def lengths_shown(job: FineTuningJob) -> dict[str, Any]:
    """Middle, long and longest row in tokens, and whose tokens they are."""
    lengths = job.checks.get("lengths") or {}
    quantiles = lengths.get("quantiles") or []
    if not quantiles:
        return {}
    last = len(quantiles) - 1
    return lengths | {
        "middle": quantiles[last // 2],
        "long": quantiles[round(last * 0.95)],
        "trained_percent": round(100 * lengths["trained_tokens"] / max(1, lengths["tokens"])),
    }


def estimates_shown(job: FineTuningJob, form: PlanForm) -> dict[str, Any]:
    """For the form as it stands: each worker's estimate, the steps, and settings that are unusual."""
    settings = form.settings_so_far()
    unusual = warnings_of(settings, method=job.method, technique=job.technique)
    if job.technique == HOSTED:
        return {"estimates": [], "unusual": unusual, "steps": None, "no_base": False}
    training = training_of(job)
    if training is None:
        return {"estimates": [], "unusual": unusual, "steps": None, "no_base": True}
    training = replace(training, settings=settings, sweep=_sweep(job, form))
    found: list[Estimate] = [estimate(training, worker) for worker in living_workers()]
    return {
        "estimates": found,
        "unusual": unusual,
        "steps": training.rhythm().steps,
        "no_base": False,
        "no_gpu": bool(found) and not any(each.on_gpu for each in found),
    }


def _sweep(job: FineTuningJob, form: PlanForm) -> dict[str, Any]:
    kept: dict[str, Any] = job.sweep
    try:
        return form.sweep() if form.is_bound else kept
    except (ProductError, KeyError):
        return {}
