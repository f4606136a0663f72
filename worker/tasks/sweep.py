"""The task that beat sends: find work whose lease ran out and enqueue it again."""

from __future__ import annotations

from worker.registry import task
from worker.sweeping import run_sweepers


@task("worker.sweep", queue="default")
def sweep() -> None:
    run_sweepers()
