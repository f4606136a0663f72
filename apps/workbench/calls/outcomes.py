"""What became of a call. Plain values, without the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.evaluations.engine.work import failure_of, tool_calls
from apps.providers.protocol import CompletionResponse
from apps.workbench.models import Call

Status = Call.Status


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a call was broken off, as it is kept and shown."""

    status: Call.Status
    error_kind: str
    error: str


STOPPED = Stop(Status.CANCELLED, "stopped", "Stopped.")
PAGE_LEFT = Stop(
    Status.CANCELLED,
    "page_left",
    "Stopped, as the page was left. A call can be asked to go on without its page.",
)
WORKER_STOPPED = Stop(
    Status.FAILED, "worker_stopped", "The worker was stopped while it answered. Run it again."
)
WORKER_LOST = Stop(Status.FAILED, "worker_lost", "The worker was lost while it answered. Run it again.")
NEVER_TAKEN = Stop(
    Status.FAILED,
    "never_taken",
    "No worker took the call up. Is one running for its queue? Look at the workers' log, then run it again.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, with all that came until then. Times in milliseconds."""

    status: Call.Status
    output: str = ""
    tool_calls: Sequence[dict[str, Any]] = ()
    finish_reason: str = ""
    error_kind: str = ""
    error: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_token_ms: float | None = None
    duration_ms: float | None = None


def completed(response: CompletionResponse, *, first_token_ms: float | None, duration_ms: float) -> Outcome:
    """`first_token_ms` and `duration_ms` as the worker saw them, for what the response does not say."""
    told = response.time_to_first_token_s
    return Outcome(
        status=Status.COMPLETED,
        output=response.text,
        tool_calls=tool_calls(response.tool_calls),
        finish_reason=response.finish_reason,
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
        first_token_ms=first_token_ms if told is None else told * 1000,
        duration_ms=duration_ms,
    )


def failed(error: Exception, *, output: str, first_token_ms: float | None, duration_ms: float) -> Outcome:
    failure = failure_of(error)
    return Outcome(
        status=Status.FAILED,
        output=output,
        error_kind=failure.kind,
        error=failure.message,
        first_token_ms=first_token_ms,
        duration_ms=duration_ms,
    )


def broken_off(
    why: Stop, *, output: str = "", first_token_ms: float | None = None, duration_ms: float | None = None
) -> Outcome:
    return Outcome(
        status=why.status,
        output=output,
        error_kind=why.error_kind,
        error=why.error,
        first_token_ms=first_token_ms,
        duration_ms=duration_ms,
    )
