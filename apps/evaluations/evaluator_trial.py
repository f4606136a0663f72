"""Trying settings out on one example, before they are saved.

What needs a model in memory, or calls one, is scored by a worker. Such a trial lives in the cache for some
minutes and is lost with it: nothing hangs on it, and the page says so.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from apps.core.crypto import decrypt, encrypt
from apps.core.dispatch import enqueue
from apps.core.models import Project
from apps.evaluations.evaluator_config import checked_config, evaluator_kind
from apps.evaluations.evaluators import Place, Scored, ScoringInput
from apps.evaluations.judge_settings import check_judge, secrets_of
from apps.evaluations.judge_trial import asks_local_model, outcome_by_calls

KEPT_S = 600
PATIENCE_S = 90.0  # the first use of the model loads it, which takes up to half a minute
#: A task belongs to one queue, so the same work has one name for each queue it may wait on.
TASKS = {
    Place.MEMORY: ("worker.evaluators.dry_run", "local"),
    Place.CALLS: ("worker.evaluators.dry_run_by_calls", "interactive"),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What the settings make of an example: (metric title, value) pairs, or the reason for none."""

    values: list[tuple[str, float]]
    detail: str = ""
    reason: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class PendingTrial:
    """A trial that a worker has not answered; `lost` when it no longer will."""

    token: str
    lost: bool = False


def evaluator_try(*, project: Project, kind: str, config: dict[str, Any], item: ScoringInput) -> Trial:
    """Score one output. Loads or calls a model where the kind needs one: do that only in a worker.

    Raises UnknownKind and InvalidConfig.
    """
    of = evaluator_kind(kind)
    settings = checked_config(of, config)
    if of.by_calls is not None:
        outcome = outcome_by_calls(project=project, of=of, config=settings, item=item)
    else:
        [outcome] = of.score_batch([item], settings)
    if not isinstance(outcome, Scored):
        return Trial([], reason=outcome.reason)
    values = [
        (metric.title, outcome.values[metric.name]) for metric in of.metrics if metric.name in outcome.values
    ]
    return Trial(values, outcome.detail, label=outcome.label)


def trial_start(
    *, project: Project, kind: str, config: dict[str, Any], item: ScoringInput
) -> Trial | PendingTrial:
    """Score one output here, or have a worker do it. Raises UnknownKind and InvalidConfig."""
    of = evaluator_kind(kind)
    settings = checked_config(of, config)
    check_judge(project=project, of=of, config=settings)
    if of.place not in TASKS:
        return evaluator_try(project=project, kind=kind, config=settings, item=item)
    name, queue = TASKS[Place.MEMORY if asks_local_model(project, of, settings) else of.place]
    token = secrets.token_urlsafe(16)
    shown, hidden = secrets_of(of, settings)
    task = {"kind": kind, "config": shown, "item": item}
    sealed = {name: encrypt(value) for name, value in hidden.items()}
    kept = {"task": task, "sealed": sealed, "since": time.time()}
    cache.set(_key(str(project.pk), token), kept, KEPT_S)
    enqueue(name, queue=queue, project_id=str(project.pk), token=token)
    return PendingTrial(token)


def trial_run(*, project_id: str, token: str) -> None:
    """Score a pending trial, in a worker. One that is gone from the cache is nobody's concern any more."""
    kept = cache.get(_key(project_id, token))
    if kept is None or "trial" in kept:
        return
    try:
        trial = _tried(Project.objects.get(pk=project_id), kept)
    except Exception as error:
        trial = Trial([], reason=f"It could not be scored: {error}")
        cache.set(_key(project_id, token), {**kept, "trial": trial}, KEPT_S)
        raise
    cache.set(_key(project_id, token), {**kept, "trial": trial}, KEPT_S)


def _tried(project: Project, kept: dict[str, Any]) -> Trial:
    task, hidden = kept["task"], {name: decrypt(token) for name, token in kept["sealed"].items()}
    return evaluator_try(project=project, **{**task, "config": {**task["config"], **hidden}})


def trial_get(*, project: Project, token: str) -> Trial | PendingTrial:
    """A trial that was sent to a worker, as far as it is."""
    kept = cache.get(_key(str(project.pk), token))
    if kept is None:
        return PendingTrial(token, lost=True)
    trial: Trial | None = kept.get("trial")
    return trial or PendingTrial(token, lost=time.time() - kept["since"] > PATIENCE_S)


def _key(project_id: str, token: str) -> str:
    return f"evaluator-trial:{project_id}:{token}"
