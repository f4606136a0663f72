"""Our request as chat-completions JSON, and the answer back as our response."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from apps.providers.protocol import (
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    Message,
    ModelListing,
    ProviderError,
    ToolCall,
)

_FINISH_REASONS = {"stop", "length", "tool_calls", "content_filter"}


def request_arguments(request: CompletionRequest, *, base_url: str) -> dict[str, Any]:
    """Keyword arguments for `client.chat.completions.create`; what is None is left out."""
    parameters = request.parameters
    optional: dict[str, Any] = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        _max_tokens_name(base_url): parameters.max_tokens,
        "stop": list(parameters.stop) or None,
        "seed": parameters.seed,
        "tools": [dict(tool) for tool in request.tools] or None,
        "response_format": _response_format(request.response_schema),
        "extra_body": dict(parameters.extra) or None,
    }
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": [message_json(message) for message in request.messages],
    }
    return arguments | {name: value for name, value in optional.items() if value is not None}


def _max_tokens_name(base_url: str) -> str:
    """OpenAI's reasoning models refuse max_tokens; other servers often know nothing else."""
    host = urlsplit(base_url).hostname or ""
    return "max_completion_tokens" if host.endswith("api.openai.com") else "max_tokens"


def _response_format(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def message_json(message: Message) -> dict[str, Any]:
    """One message in the chat-completions format."""
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        value["content"] = message.content or None
        value["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        value["name"] = message.name
    return value


def response_from_json(
    body: Mapping[str, Any], *, requested_model: str, duration_s: float, first_token_s: float | None = None
) -> CompletionResponse:
    """The response in a chat.completion object. Raises ProviderError(BAD_RESPONSE) when it is none."""
    choice = _first_choice(body)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise bad_response("The answer's first choice holds no message.", body)
    calls = tuple(_tool_call(call, body) for call in message.get("tool_calls") or ())
    text = message.get("content")
    if text is None:
        text = message.get("refusal") or ""
    if not isinstance(text, str):
        raise bad_response("The answer's content is not text.", body)
    finish = choice.get("finish_reason")
    if finish == "content_filter" and not text:
        raise ProviderError(
            "The provider's content filter withheld the answer.",
            kind=ErrorKind.CONTENT_FILTER,
            raw=short(body),
        )
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return CompletionResponse(
        text=text,
        tool_calls=calls,
        finish_reason=finish if finish in _FINISH_REASONS else "unknown",
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        time_to_first_token_s=first_token_s,
        duration_s=duration_s,
        model=str(body.get("model") or requested_model),
        raw=body,
    )


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    if error and not body.get("choices"):  # some gateways answer 200 with an error inside
        text = error.get("message") if isinstance(error, Mapping) else error
        raise bad_response(f"The server answered 200 with an error inside: {text}", body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise bad_response("The answer is not a chat completion: it holds no choices.", body)
    return choices[0]


def _tool_call(call: Any, body: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise bad_response("The answer holds a tool call that cannot be read.", body)
    return ToolCall(
        id=str(call.get("id") or ""), name=function["name"], arguments=str(function.get("arguments") or "")
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def listing_from_json(item: Mapping[str, Any]) -> ModelListing | None:
    """One entry of GET /models; None when it names no model. vLLM and some gateways tell the window."""
    name = item.get("id")
    if not isinstance(name, str) or not name:
        return None
    window = _count(item.get("max_model_len")) or _count(item.get("context_length"))
    created = _count(item.get("created"))
    try:
        when = datetime.fromtimestamp(created, UTC) if created else None
    except (OverflowError, OSError, ValueError):
        when = None
    return ModelListing(name=name, context_window=window, created_at=when)


def storable(value: Any) -> Any:
    """The JSON value with what a database cannot keep in text (NUL, lone surrogates) replaced."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value


def bad_response(message: str, body: object) -> ProviderError:
    return ProviderError(message, kind=ErrorKind.BAD_RESPONSE, raw=short(body))


def short(value: object, limit: int = 2000) -> str:
    """Text for ProviderError.raw, cut to a readable length."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
