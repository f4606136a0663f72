"""Calls that a person watches: handed to the process's loop; those to the embedded model in batches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import signals

from apps.workbench.calls import answering, local_batch, services, sweeping
from worker.registry import sweeper, task

#: The supervisor gives a worker three seconds to stop.
_BROKEN_OFF_WITHIN_S = 1.5


@task(services.ANSWER_TASK, queue="interactive")
def answer_call(call_id: str) -> None:
    answering.call_answer(UUID(call_id))


@task(services.ANSWER_LOCAL_TASK, queue="local")
def answer_local_calls() -> None:
    local_batch.local_calls_answer()


sweeper("workbench.calls")(sweeping.calls_sweep)


@signals.worker_shutdown.connect
def break_calls_off(**_: Any) -> None:
    answering.calls_break_off(_BROKEN_OFF_WITHIN_S)
