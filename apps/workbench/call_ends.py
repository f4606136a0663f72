"""What follows the end of a call: a trial's answer is scored, a conversation goes on."""

from __future__ import annotations

from uuid import UUID

from apps.workbench.calls.finishing import ENDED_TASK
from apps.workbench.conversations.turns import turn_ended
from apps.workbench.models import Call
from apps.workbench.trials.scoring import cell_ended


def call_ended(call_id: UUID) -> None:
    """Safe to repeat, and to be asked of a call that has not ended."""
    call = Call.objects.filter(pk=call_id).select_related("prompt__project").first()
    if call is None or call.status in (Call.Status.PENDING, Call.Status.RUNNING):
        return
    if call.purpose == Call.Purpose.TRIAL:
        cell_ended(call)
    elif call.purpose == Call.Purpose.TURN:
        turn_ended(call)


__all__ = ["ENDED_TASK", "call_ended"]
