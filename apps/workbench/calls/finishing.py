"""Writing how a call ended, once, with its span; then telling its page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.core.models import new_id
from apps.evaluations.engine.rows import storable
from apps.providers.prices import cost_usd
from apps.traces.models import Trace
from apps.traces.services import spans_write
from apps.workbench.calls.outcomes import Outcome
from apps.workbench.calls.presenting import RELATED, call_as_json
from apps.workbench.calls.stream import Page, event_of, publish
from apps.workbench.models import Call

Status = Call.Status
#: The type of the event that tells of each end.
ENDS = {Status.COMPLETED: "done", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}
SOURCE, FROM_APPLICATION = "workbench", "application"
#: What goes on when a call has ended.
FOLLOWED = (Call.Purpose.TRIAL, Call.Purpose.TURN)
ENDED_TASK = "worker.workbench.call_ended"
_SAME_IN_SPAN = (
    *("inputs", "messages", "output", "tool_calls", "finish_reason", "error_kind", "error"),
    *("input_tokens", "output_tokens", "cost_usd", "time_to_first_token_ms", "duration_ms"),
)


def call_finish(*, call_id: UUID, lease: UUID, outcome: Outcome) -> Call | None:
    """Write the end of a running call and tell its page; None when it is not ours (any more)."""
    return calls_end(Call.objects.filter(pk=call_id, lease=lease, status=Status.RUNNING), outcome)


def calls_end(chosen: QuerySet[Call], outcome: Outcome) -> Call | None:
    """End the one call in `chosen`, if it is there: who comes first, wins."""
    call = call_store(chosen, outcome)
    if call is not None:
        publish(Page.of_call(call), end_event(call))
    return call


def call_store(chosen: QuerySet[Call], outcome: Outcome) -> Call | None:
    """Write the end of the one call in `chosen` with its span; None when there is none. Nobody is told."""
    with transaction.atomic():
        call = chosen.select_for_update(no_key=True, of=("self",)).first()
        if call is None:
            return None
        call = Call.objects.select_related(*RELATED, "model__provider").get(pk=call.pk)
        _take(call, outcome)
        if call.started_at is not None:
            call.span_id = _span_write(call)
        call.save()
        if call.purpose in FOLLOWED:  # a trial is scored, a conversation goes on
            enqueue(ENDED_TASK, queue="default", call_id=str(call.pk))
    return call


def end_event(call: Call) -> dict[str, Any]:
    """{"type": "done" | "failed" | "cancelled", …} with all that `call_as_json` tells."""
    return event_of(call, ENDS[Status(call.status)], **call_as_json(call))


def _take(call: Call, outcome: Outcome) -> None:
    call.status = outcome.status
    call.output = storable(outcome.output)
    call.tool_calls = storable(list(outcome.tool_calls))
    call.finish_reason = outcome.finish_reason[:40]
    call.error_kind = outcome.error_kind[:30]
    call.error = storable(outcome.error)
    call.input_tokens = outcome.input_tokens
    call.output_tokens = outcome.output_tokens
    call.cost_usd = _cost(call)
    call.time_to_first_token_ms = outcome.first_token_ms
    call.duration_ms = outcome.duration_ms
    call.finished_at = timezone.now()
    call.lease_until = None


def _cost(call: Call) -> Decimal | None:
    """What the call cost; unknown for one that was broken off, as its tokens were never told."""
    if call.started_at is None:
        return Decimal(0)
    if call.model is None:
        return None
    provider = call.model.provider
    return cost_usd(
        call.model.name,
        kind=provider.kind,
        base_url=provider.base_url,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        override=call.model.price_override,
    )


def _whose(call: Call) -> dict[str, str]:
    """Source, session and user of the call's trace."""
    if call.purpose == Call.Purpose.APPLICATION:
        return {"session": call.session, "user": call.end_user, "source": FROM_APPLICATION}
    return {"session": str(call.page), "user": call.author_label[:200], "source": SOURCE}


def _span_write(call: Call) -> UUID:
    name = call.prompt.name[:200]
    trace = Trace.objects.create(project_id=call.project_id, name=name, **_whose(call))
    id = new_id()
    span = {
        "id": id,
        "trace_id": trace.pk,
        "name": name,
        "prompt_version_id": call.prompt_version_id,
        "model_id": call.model_id,
        "model_name": call.model_name,
        "origin": f"call:{call.pk}",
        "parameters": call.content.get("parameters") or {},
        "started_at": call.started_at.isoformat() if call.started_at else None,
        **{field: getattr(call, field) for field in _SAME_IN_SPAN},
    }
    spans_write(project_id=call.project_id, spans=[span])
    return id
