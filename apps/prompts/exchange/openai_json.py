"""The JSON of a request to OpenAI's chat completions, or to a server that speaks its protocol.

Field names after the API reference (platform.openai.com, "Create chat completion").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from apps.prompts.exchange.record import (
    Endpoint,
    Found,
    PromptRecord,
    UnreadableFile,
    Written,
    left_out,
    model_alone,
)
from apps.prompts.exchange.templates import from_plain, with_includes

SCHEMA_NAME = "answer"
_SAME = ("temperature", "top_p", "seed")
#: Of the request's other fields, those that may stand in a prompt; they are sent to the provider as they are.
_NAMES_OF_EXTRA = (
    "frequency_penalty presence_penalty logit_bias logprobs top_logprobs n tool_choice "
    "parallel_tool_calls reasoning_effort verbosity service_tier prediction modalities audio "
    "metadata store user safety_identifier prompt_cache_key web_search_options top_k min_p "
    "repetition_penalty"
)
EXTRA = frozenset(_NAMES_OF_EXTRA.split())
_OF_THE_CALL = ("stream", "stream_options")
_ROLES = ("system", "developer", "user", "assistant", "tool")


def recognises(document: Any) -> bool:
    if isinstance(document, list):
        return bool(document) and all(isinstance(item, dict) and "role" in item for item in document)
    return isinstance(document, dict) and isinstance(document.get("messages"), list)


def write(record: PromptRecord, endpoint: Endpoint | None = None) -> Written:
    """The request's body. Variables stay as they are written: the render call fills them in."""
    messages, losses = request_messages(record)
    losses = left_out(record, "name", "folder", "tags", "note") + losses
    if record.variables:
        names = ", ".join(record.variables)
        losses.append(f"Variables ({names}) are sent as they are written; render the prompt to fill them in.")
    if "/" in record.parameters.get("model", ""):
        losses.append(f"The provider of {record.parameters['model']}; only the model's name is kept.")
    body = {"messages": messages, **request_parameters(record, endpoint)}
    if "model" in body:
        body = {"model": body.pop("model"), **body}
    return Written(json.dumps(body, indent=2, ensure_ascii=False) + "\n", losses)


def request_messages(record: PromptRecord) -> tuple[list[dict[str, Any]], list[str]]:
    """Messages with includes written out; placeholders are left out, and told."""
    messages, losses = [], list[str]()
    for number, message in enumerate(record.messages, 1):
        if message["role"] == "placeholder":
            losses.append(f"Message {number}: the placeholder “{message['name']}” is left out.")
            continue
        text = message.get("content")
        if text and (written := with_includes(text, record.resolved)) != text:
            losses.append(f"Message {number}: what it includes is written out.")
            message = {**message, "content": written}
        messages.append(dict(message))
    return messages, losses


def request_parameters(record: PromptRecord, endpoint: Endpoint | None) -> dict[str, Any]:
    """model, parameters, tools and the schema under the request's names."""
    given = record.parameters
    host = urlsplit(endpoint.base_url).hostname or "" if endpoint else ""
    most = "max_completion_tokens" if host.endswith("api.openai.com") else "max_tokens"
    body: dict[str, Any] = {"model": model_alone(given["model"])} if given.get("model") else {}
    body |= {name: given[name] for name in _SAME if name in given}
    if "max_tokens" in given:
        body[most] = given["max_tokens"]
    if given.get("stop"):
        body["stop"] = given["stop"]
    body |= given.get("extra", {})
    if record.tools:
        body["tools"] = record.tools
    if record.response_schema:
        schema = {"name": SCHEMA_NAME, "strict": True, "schema": record.response_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def read(document: Any, place: str) -> list[Found]:
    """The prompt of one body, or of a bare list of messages."""
    body = {"messages": document} if isinstance(document, list) else dict(document)
    losses: list[str] = []
    try:
        raw = enumerate(body.pop("messages"), 1)
        messages = [read_message(message, f"Message {number}", losses) for number, message in raw]
        parameters, tools, schema = read_parameters(body, losses, all_extra=True)
    except UnreadableFile as error:
        return [Found(place, problem=str(error))]
    record = PromptRecord(messages=messages, parameters=parameters, tools=tools, response_schema=schema)
    return [Found(place, record, losses)]


def read_message(raw: Any, place: str, losses: list[str]) -> dict[str, Any]:
    """A message as ours. Raises UnreadableFile when it is none, or its role is unknown."""
    if not isinstance(raw, dict):
        raise UnreadableFile(f"{place}: give an object with role and content.")
    role = raw.get("role")
    if role not in _ROLES:
        raise UnreadableFile(
            f"{place}: the role {str(role)[:40]!r} is unknown; use one of {', '.join(_ROLES)}."
        )
    content = _content(raw.get("content"), place, losses)
    message: dict[str, Any] = {"role": role, "content": content}
    if content is not None:
        message["content"], remark = from_plain(content)
        if remark:
            losses.append(f"{place}: {remark}.")
    for key in ("name", "tool_call_id", "tool_calls"):
        if raw.get(key):
            message[key] = raw[key]
    unknown = sorted(
        key
        for key in raw
        if key not in (*message, "name", "tool_call_id", "tool_calls") and raw[key] is not None
    )
    if unknown:
        losses.append(f"{place}: {', '.join(unknown)} cannot be kept.")
    return message


def _content(content: Any, place: str, losses: list[str]) -> Any:
    """The text of a content that is a list of parts; parts that are no text are left out, and told."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise UnreadableFile(f"{place}: its content must be a text, or a list of parts.")
    texts = []
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            kind = str(part.get("type", "part"))[:40] if isinstance(part, dict) else "part"
            losses.append(f"{place}: a part of the kind {kind} is left out; messages are texts here.")
    if len(texts) > 1:
        losses.append(f"{place}: its {len(texts)} texts become one.")
    return "\n".join(texts)


def read_parameters(
    body: Mapping[str, Any], losses: list[str], *, all_extra: bool
) -> tuple[dict[str, Any], list[Any], Any]:
    """Parameters, tools and schema from fields under the request's names.

    What has no place of its own goes into `extra`: all of it, or what the API is known to take.
    """
    rest = {key: value for key, value in body.items() if value is not None}
    parameters = {name: rest.pop(name) for name in ("model", *_SAME, "stop") if name in rest}
    for name in ("max_tokens", "max_completion_tokens"):
        if name in rest and "max_tokens" not in parameters:
            parameters["max_tokens"] = rest.pop(name)
    tools = rest.pop("tools", [])
    functions = rest.pop("functions", None)
    if not isinstance(tools, list) or not isinstance(functions, list | None):
        raise UnreadableFile("Tools and functions are lists.")
    if functions:
        tools = [*tools, *({"type": "function", "function": one} for one in functions)]
        losses.append("“functions” became tools.")
    schema = _schema(rest.pop("response_format", None), losses)
    for name in _OF_THE_CALL:
        if rest.pop(name, None):
            losses.append(f"“{name}” belongs to a call, not to a prompt.")
    extra = {key: value for key, value in rest.items() if all_extra or key in EXTRA}
    losses += [f"“{key}” is no parameter of a model that is known here." for key in rest if key not in extra]
    return parameters | ({"extra": extra} if extra else {}), tools, schema


def _schema(form: Any, losses: list[str]) -> Any:
    if not isinstance(form, dict) or form.get("type") == "text":
        return None
    inner = form.get("json_schema")
    if form.get("type") != "json_schema" or not isinstance(inner, dict):
        losses.append(f"The response format {str(form.get('type'))[:40]}; only a JSON schema can be kept.")
        return None
    if inner.get("name") not in (None, SCHEMA_NAME):
        losses.append(f"The schema's name “{str(inner['name'])[:60]}”; here it is always “{SCHEMA_NAME}”.")
    if inner.get("strict") is not True:
        losses.append("The schema is always kept strictly here.")
    if inner.get("description"):
        losses.append("The schema's description.")
    return inner.get("schema")
