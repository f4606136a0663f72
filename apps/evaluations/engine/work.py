"""Answering: from an example to a model's answer. Plain Python: no database, no HTML.

The driver hands in WorkItems and takes back Answers; what to do with them is its business.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.prompts.rendering import RenderError
from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError

#: Tries at an item before it has failed for good. Being told to wait (429) is no fault of the call, so it may
#: be told so often; what fails in other ways is tried less.
MOST_ATTEMPTS = 8
MOST_ATTEMPTS_WHEN_LIMITED = 100
LONGEST_WAIT_S = 60.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One claimed item: what to render it with, and how often it was tried before."""

    id: UUID
    example_key: str
    repetition: int
    attempts: int
    inputs: dict[str, Any]
    reference: Any
    metadata: dict[str, Any]
    #: What was answered, for an item that waits to be scored.
    output: str = ""
    tool_calls: Sequence[dict[str, Any]] = ()
    finish_reason: str = ""
    latency_ms: float | None = None
    cost_usd: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    #: What was sent, as JSON values.
    rendered: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer. `kind` is an ErrorKind's value, "render", or "internal"."""

    kind: str
    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    concerns_every_call: bool = False
    status: int | None = None

    @classmethod
    def of(cls, error: ProviderError) -> Failure:
        return cls(
            kind=error.kind.value,
            message=error.message,
            retryable=error.kind.retryable,
            retry_after_s=error.retry_after_s,
            concerns_every_call=error.kind.concerns_every_call,
            status=error.status,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one item: a response or a failure, with the request that was sent, if one was."""

    item: WorkItem
    started_at: datetime
    request: CompletionRequest | None = None
    response: CompletionResponse | None = None
    failure: Failure | None = None
    #: The response was kept from an earlier call: nothing was sent.
    cached: bool = False

    @property
    def gives_up(self) -> bool:
        """True when the item has failed for good: the error is permanent, or it was tried often enough."""
        return self.failure is not None and gives_up(self.failure, self.item.attempts)


def gives_up(failure: Failure, attempts: int) -> bool:
    """True when there is no sense in another try after `attempts` earlier ones and this one.

    An account out of quota pauses the run; the item is tried again on resume.
    """
    if failure.kind == ErrorKind.QUOTA.value:
        return False
    limited = failure.kind == ErrorKind.RATE_LIMITED.value
    return not failure.retryable or attempts + 1 >= (MOST_ATTEMPTS_WHEN_LIMITED if limited else MOST_ATTEMPTS)


def wait_before_retry(attempts: int, retry_after_s: float | None) -> float:
    """Seconds until the next attempt: what the provider asked for, else 1, 2, 4, 8 …, at most a minute.

    Up to a quarter is added at random, so that those who were turned away together do not come back together.
    """
    wait = min(LONGEST_WAIT_S, 2.0 ** min(attempts, 10)) if retry_after_s is None else max(0.0, retry_after_s)
    return wait * random.uniform(1.0, 1.25)


def failure_of(error: Exception) -> Failure:
    """Why an item has no answer, in words for the person who reads the run."""
    if isinstance(error, ProviderError):
        return Failure.of(error)
    if isinstance(error, RenderError):
        return Failure(kind="render", message=str(error))
    log.error("Answering an item failed", exc_info=error)
    return Failure(
        kind="internal", message=f"Answering failed inside the worker: {type(error).__name__}: {error}"
    )


def rendered_messages(request: CompletionRequest | None) -> list[dict[str, Any]]:
    """The messages as they were sent, as JSON values."""
    if request is None:
        return []
    return [
        {
            "role": message.role,
            "content": message.content,
            **({"tool_call_id": message.tool_call_id} if message.tool_call_id else {}),
            **({"name": message.name} if message.name else {}),
            **({"tool_calls": tool_calls(message.tool_calls)} if message.tool_calls else {}),
        }
        for message in request.messages
    ]


def tool_calls(calls: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in calls]


def stop_the_run(failure: Failure) -> bool:
    """True when no other item can succeed either: the key is refused, the model unknown, the quota spent."""
    return failure.concerns_every_call


def pauses_the_run(failure: Failure) -> bool:
    """True when the run should wait for a person rather than fail: the account is out of quota."""
    return failure.kind == ErrorKind.QUOTA.value
