"""Calls that a person watches: handed to the process's loop; those to the embedded model in batches."""

from __future__ import annotations

from uuid import UUID

from apps.workbench.calls import answering, services
from worker.registry import task


@task(services.ANSWER_TASK, queue="interactive")
def answer_call(call_id: str) -> None:
    answering.call_answer(UUID(call_id))
