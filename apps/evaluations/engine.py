"""Answering: from an example to a model's answer. Plain Python: no database, no HTML.

The driver hands in WorkItems and takes back Answers; what to do with them is its business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError

MOST_ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
Render = Callable[[dict[str, Any]], CompletionRequest]


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


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer. `kind` is an ErrorKind's value, "render", or "internal"."""

    kind: str
    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    concerns_every_call: bool = False

    @classmethod
    def of(cls, error: ProviderError) -> Failure:
        return cls(
            kind=error.kind.value,
            message=error.message,
            retryable=error.kind.retryable,
            retry_after_s=error.retry_after_s,
            concerns_every_call=error.kind.concerns_every_call,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one item: a response or a failure, with the request that was sent, if one was."""

    item: WorkItem
    started_at: datetime
    request: CompletionRequest | None = None
    response: CompletionResponse | None = None
    failure: Failure | None = None

    @property
    def gives_up(self) -> bool:
        """True when the item has failed for good: the error is permanent, or it was tried often enough."""
        return self.failure is not None and (
            not self.failure.retryable or self.item.attempts + 1 >= MOST_ATTEMPTS
        )


def wait_before_retry(attempts: int, retry_after_s: float | None) -> float:
    """Seconds until the next attempt: what the provider asked for, else 1, 2, 4, 8 …, at most a minute."""
    if retry_after_s is not None:
        return max(0.0, retry_after_s)
    return min(LONGEST_WAIT_S, 2.0**attempts)


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
