"""Trying an evaluator that needs a model: in memory, or by a call."""

from __future__ import annotations

from apps.evaluations.evaluator_trial import trial_run
from worker.registry import task


@task("worker.evaluators.dry_run", queue="local")
def dry_run(project_id: str, token: str) -> None:
    trial_run(project_id=project_id, token=token)


@task("worker.evaluators.dry_run_by_calls", queue="interactive")
def dry_run_by_calls(project_id: str, token: str) -> None:
    trial_run(project_id=project_id, token=token)
