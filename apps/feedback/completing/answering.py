"""The answer to who asked for a completion: one JSON object, or its pieces as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponseBase, JsonResponse, StreamingHttpResponse

from apps.core.errors import ProductError
from apps.feedback.completing.errors import CompletionFailed, CompletionTimedOut
from apps.feedback.completing.services import TokenAsked, completion_events
from apps.providers.protocol import ErrorKind
from apps.workbench.models import Call


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that was asked for, and how its caller wants the answer. `token` None: no feedback token."""

    call: Call
    streamed: bool
    within_s: float
    token: TokenAsked | None


async def answer(waiting: Waiting) -> HttpResponseBase:
    """Raises CompletionFailed, CompletionTimedOut, TooManyWaiting, for an answer that is not streamed."""
    if waiting.streamed:
        response = StreamingHttpResponse(_written(waiting), content_type="text/event-stream")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response
    end: dict[str, Any] = {}
    async for event in completion_events(waiting.call, within_s=waiting.within_s, token=waiting.token):
        end = event
    if end["type"] != "done":
        raise _failed(end)
    return JsonResponse(_told(end))


async def _written(waiting: Waiting) -> AsyncIterator[bytes]:
    """Events "text", then "done", or "error" with problem details."""
    yield b": begun\n\n"
    try:
        events = completion_events(waiting.call, within_s=waiting.within_s, token=waiting.token)
        async for event in events:
            if event["type"] == "text":
                yield _event("text", {"text": event["text"]})
            elif event["type"] == "done":
                yield _event("done", _told(event))
            else:
                yield _event("error", _problem(_failed(event)))
    except ProductError as error:
        yield _event("error", _problem(error))


def _event(name: str, content: dict[str, Any]) -> bytes:
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {written}\n\n".encode("utf-8", "replace")


def _told(end: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in end.items() if name != "type"}


def _failed(end: dict[str, Any]) -> ProductError:
    kind = CompletionTimedOut if end["error_kind"] == ErrorKind.TIMEOUT else CompletionFailed
    return kind(
        end["error"] or "The call failed.",
        call_id=end["id"],
        span_id=end["span_id"],
        error_kind=end["error_kind"],
        text=end["text"],
    )


def _problem(error: ProductError) -> dict[str, Any]:
    told = {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.detail}
    return {**told, "code": error.code, **error.extra}
