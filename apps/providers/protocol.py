"""What every provider speaks: a request, a response, and an error that says what kind it is.

Plain dataclasses without Django, so that engines and tests can make them by hand. Token counts are
None where a provider does not tell them: unknown is not zero.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, Protocol, runtime_checkable

MessageRole = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]
#: As chat completions write it: {"type": "function", "function": {"name", "description", "parameters"}}.
ToolDefinition = Mapping[str, Any]
#: A JSON schema as an object.
JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message. `tool_call_id` belongs to role "tool", `tool_calls` to role "assistant"."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to sample. None means: not sent, the provider's own default holds.

    `model` is written "provider/model" where a prompt keeps it. `temperature` None or 0 is greedy on
    the embedded model. `max_tokens` counts output tokens. `extra` goes to the provider as it is.
    """

    model: str
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call. `model` is the name at the provider, without the provider's slug."""

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters
    tools: tuple[ToolDefinition, ...] = ()
    response_schema: JsonSchema | None = None


@dataclass(frozen=True, slots=True)
class CompletionResponse:
    """What came back.

    `time_to_first_token_s` is None unless the answer was streamed. `duration_s` is wall time of this
    call (for a batch on the embedded model: of the batch). `model` is the name the provider reports.
    `raw` is the provider's answer as JSON-ready values.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    time_to_first_token_s: float | None
    duration_s: float
    model: str
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompletionDelta:
    """A piece of a streamed answer; the last one carries the whole `response` and no text."""

    text: str = ""
    response: CompletionResponse | None = None


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One model that a provider offers. `context_window` in tokens, None when it does not say."""

    name: str
    context_window: int | None = None
    created_at: datetime | None = None


class ErrorKind(Enum):
    """Why a call failed, as far as the caller has to act differently."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    AUTHENTICATION = "authentication"
    UNKNOWN_MODEL = "unknown_model"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    BAD_REQUEST = "bad_request"
    QUOTA = "quota"
    BAD_RESPONSE = "bad_response"

    @property
    def retryable(self) -> bool:
        """True when the same call may succeed a little later."""
        return self in _RETRYABLE

    @property
    def concerns_every_call(self) -> bool:
        """True when no other call to the same model can succeed until somebody acts."""
        return self in _CONCERNS_EVERY_CALL


_RETRYABLE = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.TIMEOUT,
        ErrorKind.CONNECTION,
        ErrorKind.BAD_RESPONSE,
    }
)
_CONCERNS_EVERY_CALL = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.UNKNOWN_MODEL, ErrorKind.QUOTA})


class ProviderError(Exception):
    """A call to a model failed.

    `message` says in plain words what happened and what to do; `raw` is what the provider sent, cut to
    a few kilobytes. Neither ever holds a credential. `retry_after_s` is the wait that the provider
    asked for, in seconds from now.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        status: int | None = None,
        retry_after_s: float | None = None,
        raw: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.status = status
        self.retry_after_s = retry_after_s
        self.raw = raw

    @property
    def retryable(self) -> bool:
        return self.kind.retryable

    def __repr__(self) -> str:
        return f"ProviderError({self.message!r}, kind={self.kind.name}, status={self.status})"


@runtime_checkable
class Adapter(Protocol):
    """One provider. Every method raises ProviderError and nothing else (but cancellation)."""

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """Answer one request."""
        ...

    def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        """Answer one request piece by piece; the last delta carries the whole response."""
        ...

    async def list_models(self) -> list[ModelListing]:
        """The models that the provider offers with this credential."""
        ...

    async def aclose(self) -> None:
        """Close connections; the adapter is not used afterwards."""
        ...
