"""What the server on loopback says: OpenAI's chat completions, models and errors as JSON objects."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.loopback_provider import Behaviour

CONTEXT_WINDOW = 4096

#: mode: (HTTP status, the error object)
ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "401": (
        401,
        {
            "message": "Incorrect API key provided.",
            "type": "invalid_request_error",
            "code": "invalid_api_key",
        },
    ),
    "403": (403, {"message": "You may not use this.", "type": "permission_error", "code": None}),
    "404": (404, {"message": "Not Found"}),
    "429": (429, {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}),
    "500": (500, {"message": "The server had an error.", "type": "server_error", "code": None}),
    "503": (503, {"message": "Overloaded.", "type": "overloaded_error", "code": None}),
    "quota": (
        429,
        {
            "message": "You exceeded your current quota.",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
        },
    ),
    "context": (
        400,
        {
            "message": "This model's maximum context length is 4096 tokens.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
    ),
    "filter": (400, {"message": "The response was filtered.", "type": None, "code": "content_filter"}),
    "bad-request": (
        400,
        {"message": "temperature must be at most 2.", "type": "invalid_request_error", "code": None},
    ),
}


def models_listing(names: Iterable[str]) -> dict[str, Any]:
    listed = [{"id": name, "object": "model", "created": 1_700_000_000} for name in names]
    return {"object": "list", "data": [{**item, "max_model_len": CONTEXT_WINDOW} for item in listed]}


def unknown_model(name: Any) -> dict[str, Any]:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return {"error": {"message": message, "code": "model_not_found", "type": "invalid_request_error"}}


def chunks_of(whole: dict[str, Any], *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """A chat.completion as the chat.completion.chunk objects of a stream, word by word."""
    choice = whole["choices"][0]
    frame = {
        "id": whole["id"],
        "object": "chat.completion.chunk",
        "created": whole["created"],
        "model": whole["model"],
    }
    pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": word} for word in _words(choice["message"]["content"] or "")]
    for index, call in enumerate(choice["message"].get("tool_calls") or []):
        pieces.append({"tool_calls": [{"index": index, **call}]})
    for delta in pieces:
        yield {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if with_usage:
        yield {**frame, "choices": [], "usage": whole.get("usage")}


def _words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


def completion(body: dict[str, Any], behaviour: Behaviour) -> dict[str, Any]:
    """A chat.completion object; tokens are counted as words."""
    last = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "user"), "")
    text = behaviour.reply(body) if behaviour.reply else str(last)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if behaviour.tool_calls:
        message |= {"content": None, "tool_calls": behaviour.tool_calls}
    asked = sum(len(str(m.get("content") or "").split()) for m in body["messages"])
    answered = len(text.split())
    usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": behaviour.finish_reason}],
        **({"usage": usage} if behaviour.usage else {}),
    }
