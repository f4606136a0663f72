"""Trying settings out on one typed example, before they are saved.

What needs a model in memory is scored by the worker that holds it. Such a trial lives in the cache for some
minutes and is lost with it: nothing hangs on it, and the page says so.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from apps.core.dispatch import enqueue
from apps.core.models import Project
from apps.evaluations.evaluator_config import checked_config, evaluator_kind
from apps.evaluations.evaluators import Scored, ScoringInput

KEPT_S = 600
PATIENCE_S = 90.0  # the first use of the model loads it, which takes up to half a minute


@dataclass(frozen=True, slots=True)
class Trial:
    """What the settings make of an example: (metric title, value) pairs, or the reason for none."""

    values: list[tuple[str, float]]
    detail: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PendingTrial:
    """A trial that a worker has not answered; `lost` when it no longer will."""

    token: str
    lost: bool = False


def evaluator_try(*, kind: str, config: dict[str, Any], output: str, reference: Any) -> Trial:
    """Score one output. Loads a model where the kind needs one: call that only in a worker.

    Raises UnknownKind and InvalidConfig.
    """
    of = evaluator_kind(kind)
    item = ScoringInput(inputs={}, output=output, reference=reference)
    [outcome] = of.score_batch([item], checked_config(of, config))
    if isinstance(outcome, Scored):
        return Trial([(metric.title, outcome.values[metric.name]) for metric in of.metrics], outcome.detail)
    return Trial([], reason=outcome.reason)


def trial_start(
    *, project: Project, kind: str, config: dict[str, Any], output: str, reference: Any
) -> Trial | PendingTrial:
    """Score one output here, or have it scored where the model is. Raises UnknownKind and InvalidConfig."""
    of = evaluator_kind(kind)
    task = {"kind": kind, "config": checked_config(of, config), "output": output, "reference": reference}
    if not of.needs_model_in_memory:
        return evaluator_try(**task)
    token = secrets.token_urlsafe(16)
    cache.set(_key(str(project.pk), token), {"task": task, "since": time.time()}, KEPT_S)
    enqueue("worker.evaluators.dry_run", queue="local", project_id=str(project.pk), token=token)
    return PendingTrial(token)


def trial_run(*, project_id: str, token: str) -> None:
    """Score a pending trial, in a worker. One that is gone from the cache is nobody's concern any more."""
    kept = cache.get(_key(project_id, token))
    if kept is None or "trial" in kept:
        return
    try:
        trial = evaluator_try(**kept["task"])
    except Exception as error:
        trial = Trial([], reason=f"The embedded model could not score it: {error}")
        cache.set(_key(project_id, token), {**kept, "trial": trial}, KEPT_S)
        raise
    cache.set(_key(project_id, token), {**kept, "trial": trial}, KEPT_S)


def trial_get(*, project: Project, token: str) -> Trial | PendingTrial:
    """A trial that was sent to a worker, as far as it is."""
    kept = cache.get(_key(str(project.pk), token))
    if kept is None:
        return PendingTrial(token, lost=True)
    trial: Trial | None = kept.get("trial")
    return trial or PendingTrial(token, lost=time.time() - kept["since"] > PATIENCE_S)


def _key(project_id: str, token: str) -> str:
    return f"evaluator-trial:{project_id}:{token}"
