"""A provider that needs no network: every answer follows from the request, by the model's name.

For trying the product out and for tests. It counts tokens as words between white space and costs
nothing. The models are listed in `MODELS`; `parameters.extra` may hold

- `latency_s`: seconds to wait before the answer (0 to 600; default 0, for `slow` 1),
- `replies`: for the model `script`, an object from the last user message to the answer,
- `default`: for the model `script`, the answer to any other message.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from apps.providers.connection import ProviderConnection
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    ModelListing,
    ProviderError,
)

CONTEXT_WINDOW = 8192

_REPLIES: dict[str, Callable[[str], str]] = {
    "echo": lambda text: text,
    "upper": str.upper,
    "reverse": lambda text: text[::-1],
    "count": lambda text: str(len(text.split())),
    "json": lambda text: json.dumps({"answer": text, "words": len(text.split())}, ensure_ascii=False),
    "slow": lambda text: text,
    "flaky": lambda text: text,
    "script": lambda text: text,
}
_ERRORS: dict[str, tuple[ErrorKind, int | None, str]] = {
    "error-401": (ErrorKind.AUTHENTICATION, 401, "The provider refused the key (401)."),
    "error-429": (ErrorKind.RATE_LIMITED, 429, "The provider's rate limit is reached (429)."),
    "error-500": (ErrorKind.OVERLOADED, 500, "The provider failed (500)."),
    "error-timeout": (ErrorKind.TIMEOUT, None, "No answer in time."),
    "error-connection": (ErrorKind.CONNECTION, None, "The connection broke off."),
    "error-context": (ErrorKind.CONTEXT_LENGTH, 400, "The messages are longer than the model's context."),
    "error-filter": (ErrorKind.CONTENT_FILTER, 400, "The content filter refused the messages."),
    "error-quota": (ErrorKind.QUOTA, 429, "The account has no quota left."),
    "error-garbage": (ErrorKind.BAD_RESPONSE, 200, "The server answered, but not with JSON."),
}
#: What each model does, in the order of the list; shown on the provider's page and in the guide.
MODELS: dict[str, str] = {
    "echo": "answers with the last user message",
    "upper": "answers with the last user message in capitals",
    "reverse": "answers with the last user message backwards",
    "count": "answers with the number of words of the last user message",
    "json": "answers with JSON: an object with the last user message and its number of words",
    "slow": "answers as echo does, after one second",
    "flaky": "fails at the first call with a message, and answers as echo does at the next",
    "script": "answers from “replies” in the prompt's other parameters, then “default”, then as echo does",
    **{name: f"always fails: {message}" for name, (_, _, message) in _ERRORS.items()},
}
#: Those that never answer.
FAILING = frozenset(_ERRORS)


class FakeAdapter:
    """Answers by rule. `flaky` remembers what it has seen for as long as the adapter lives."""

    def __init__(self, connection: ProviderConnection) -> None:
        self._connection = connection
        self._failed_once: set[tuple[object, ...]] = set()

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        started = time.perf_counter()
        await self._wait(request)
        text = self._reply(request)
        limit = request.parameters.max_tokens
        finish = "stop"
        for stop in request.parameters.stop:
            text = text.partition(stop)[0] if stop else text
        if limit is not None and len(text.split()) > limit:
            text, finish = _first_words(text, limit), "length"
        return CompletionResponse(
            text=text,
            tool_calls=(),
            finish_reason=finish,
            input_tokens=sum(len(message.content.split()) for message in request.messages),
            output_tokens=len(text.split()),
            time_to_first_token_s=None,
            duration_s=time.perf_counter() - started,
            model=request.model,
            raw={"model": request.model, "text": text},
        )

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        response = await self.complete(request)
        for piece in re.findall(r"\S+\s*|^\s+", response.text):
            yield CompletionDelta(text=piece)
        yield CompletionDelta(response=response)

    async def list_models(self) -> list[ModelListing]:
        return [ModelListing(name=name, context_window=CONTEXT_WINDOW) for name in MODELS]

    async def aclose(self) -> None:
        return None

    async def _wait(self, request: CompletionRequest) -> None:
        default = 1.0 if request.model == "slow" else 0.0
        wanted = request.parameters.extra.get("latency_s", default)
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or not 0 <= wanted <= 600:
            raise _refused("parameters.extra.latency_s must be a number of seconds between 0 and 600.")
        if wanted > self._connection.timeout_s:
            await asyncio.sleep(self._connection.timeout_s)
            raise ProviderError(
                f"No answer within {self._connection.timeout_s} seconds.", kind=ErrorKind.TIMEOUT
            )
        if wanted:
            await asyncio.sleep(wanted)

    def _reply(self, request: CompletionRequest) -> str:
        model, text = request.model, last_user_message(request)
        if model in _ERRORS:
            kind, status, message = _ERRORS[model]
            wait = 1.0 if kind is ErrorKind.RATE_LIMITED else None
            raise ProviderError(message, kind=kind, status=status, retry_after_s=wait, raw=message)
        if model not in _REPLIES:
            raise ProviderError(
                f"The fake provider has no model named {model}; it has {', '.join(MODELS)}.",
                kind=ErrorKind.UNKNOWN_MODEL,
                status=404,
            )
        if model == "flaky" and self._fails_now(request):
            raise ProviderError("The provider failed (500).", kind=ErrorKind.OVERLOADED, status=500)
        if model == "script":
            return _scripted(text, request.parameters.extra)
        return _REPLIES[model](text)

    def _fails_now(self, request: CompletionRequest) -> bool:
        seen = tuple((message.role, message.content) for message in request.messages)
        first = seen not in self._failed_once
        self._failed_once.add(seen)
        return first


def last_user_message(request: CompletionRequest) -> str:
    """The text of the last message with role "user"; "" when there is none."""
    return next((message.content for message in reversed(request.messages) if message.role == "user"), "")


def _scripted(text: str, extra: Mapping[str, Any]) -> str:
    replies = extra.get("replies", {})
    if not isinstance(replies, Mapping):
        raise _refused("parameters.extra.replies must be an object from messages to answers.")
    return str(replies.get(text, extra.get("default", text)))


def _first_words(text: str, count: int) -> str:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text[: ends[count - 1]] if count > 0 else ""


def _refused(message: str) -> ProviderError:
    return ProviderError(message, kind=ErrorKind.BAD_REQUEST, status=400)
