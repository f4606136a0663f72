"""Imports that are too large for a request."""

from __future__ import annotations

from uuid import UUID

from apps.datasets.services import import_run, imports_sweep
from worker.registry import sweeper, task


@task("worker.datasets.run_import", queue="default")
def run_import(import_id: str) -> None:
    import_run(import_id=UUID(import_id))


sweeper("datasets.imports")(imports_sweep)
