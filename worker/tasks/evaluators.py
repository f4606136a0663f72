"""Trying an evaluator that needs the embedded model, where it is in memory."""

from __future__ import annotations

from apps.evaluations.evaluator_trial import trial_run
from worker.registry import task


@task("worker.evaluators.dry_run", queue="local")
def dry_run(project_id: str, token: str) -> None:
    trial_run(project_id=project_id, token=token)
