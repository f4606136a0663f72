"""Fine-tuning on this machine. A message names no job: the worker takes the one that has waited longest."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import signals

from apps.training.running import registering, services, sweeping, workers, working
from worker.registry import sweeper, task


@task(services.TRAIN_TASK, queue="gpu")
def train_next() -> None:
    working.train_next(worker=_own_name())


@task("worker.training.register_checkpoint", queue="default")
def register_checkpoint(work_id: str) -> None:
    registering.checkpoint_register(work_id=UUID(work_id))


sweeper("training.jobs")(sweeping.jobs_sweep)


@signals.worker_ready.connect
def _announce(sender: Any, **_: Any) -> None:
    worker = sender.controller
    if "gpu" in {queue.name for queue in sender.task_consumer.queues}:
        _names.append(worker.hostname)
        workers.worker_announce(worker.hostname)


#: The name that this process's heartbeat has.
_names: list[str] = []


def _own_name() -> str:
    return _names[-1] if _names else "worker"
