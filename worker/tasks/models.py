"""Work of the registry of models: merging adapters, taking in uploads and folders."""

from __future__ import annotations

from uuid import UUID

from apps.training.registry.importing import import_run
from apps.training.registry.merging import merge_run
from apps.training.registry.works import works_sweep
from worker.registry import sweeper, task


@task("worker.models.merge", queue="gpu")
def merge(work_id: str) -> None:
    merge_run(work_id=UUID(work_id))


@task("worker.models.import", queue="local")
def take_in(work_id: str) -> None:
    import_run(work_id=UUID(work_id))


sweeper("training.registry_works")(works_sweep)
