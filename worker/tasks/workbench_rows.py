"""What follows a call of the workbench: scoring a trial's answers, going on with a conversation."""

from __future__ import annotations

from uuid import UUID

from apps.workbench import call_ends
from apps.workbench.conversations import turns
from apps.workbench.trials import scoring
from worker.registry import sweeper, task


@task(call_ends.ENDED_TASK, queue="default")
def call_ended(call_id: str) -> None:
    call_ends.call_ended(UUID(call_id))


@task(scoring.TASKS["default"], queue="default")
def score_cell(cell_id: str) -> None:
    scoring.cell_score(UUID(cell_id), "default")


@task(scoring.TASKS["interactive"], queue="interactive")
def score_cell_by_calls(cell_id: str) -> None:
    scoring.cell_score(UUID(cell_id), "interactive")


@task(scoring.TASKS["local"], queue="local")
def score_local_cell(cell_id: str) -> None:
    scoring.cell_score(UUID(cell_id), "local")


sweeper("workbench.trials")(scoring.cells_sweep)
sweeper("workbench.conversations")(turns.turns_sweep)
