"""The JSON of a prompt in Langfuse: chat and text prompts, {{variables}}, placeholders, config, labels, tags.

After its documentation of the data model, message placeholders and composability, and the bodies of its
`/api/public/v2/prompts`. Its variables are names only: conditions, loops and filters are text there.
"""

from __future__ import annotations

import json
import re
from typing import Any

from apps.prompts.exchange import openai_json
from apps.prompts.exchange.record import Endpoint, Found, PromptRecord, UnreadableFile, Written
from apps.prompts.exchange.templates import identifier, pieces

_TAG = re.compile(r"@@@langfusePrompt:name=([^|@]+)\|(?:version=(\d+)|label=([^@]+))@@@")
#: Its SDKs take blanks inside the braces, too: what is written so stays as it is.
_SIMPLE = re.compile(r"\{\{ *\w+ *\}\}")
_FIELDS = ("name", "type", "prompt", "config", "labels", "tags", "commitMessage")
#: What its API answers besides; it says nothing that could be kept.
_IGNORED = (
    "version",
    "id",
    "projectId",
    "createdAt",
    "updatedAt",
    "createdBy",
    "isActive",
    "resolutionGraph",
)


def recognises(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("prompt"), str | list)


def write(record: PromptRecord, _endpoint: Endpoint | None = None) -> Written:
    """The body that makes the prompt in Langfuse; folders are parts of names there."""
    losses: list[str] = []
    config = openai_json.request_parameters(record, None)
    if "model" in config:
        config["model"] = record.parameters["model"]
    body: dict[str, Any] = {
        "type": "chat",
        "name": "/".join(filter(None, [record.folder, record.name.replace("/", " ")])),
        "prompt": [_written(message, number, losses) for number, message in enumerate(record.messages, 1)],
        "config": config,
        "labels": record.labels,
        "tags": record.tags,
    }
    if record.note:
        body["commitMessage"] = record.note
    if "/" in record.name:
        losses.append("A slash in the name became a blank: it would open a folder there.")
    return Written(json.dumps(body, indent=2, ensure_ascii=False) + "\n", losses)


def _written(message: dict[str, Any], number: int, losses: list[str]) -> dict[str, Any]:
    if message["role"] == "placeholder":
        return {"type": "placeholder", "name": message["name"]}
    for key in ("tool_calls", "tool_call_id", "name"):
        if message.get(key):
            losses.append(
                f"Message {number}: its {key.replace('_', ' ')}; messages there have role and content."
            )
    text, unknown, includes = _plain(message.get("content") or "")
    if includes:
        names = ", ".join(f"“{name}”" for name in includes)
        losses.append(f"Message {number}: it includes {names}; Langfuse looks for text prompts of that name.")
    if unknown:
        losses.append(f"Message {number}: {', '.join(unknown)}; variables are all that is filled in there.")
    return {"role": message["role"], "content": text}


def _plain(template: str) -> tuple[str, list[str], list[str]]:
    """A template in its syntax, what it does not know, and the prompts that are included."""
    parts, unknown, includes = [], list[str](), list[str]()
    for piece in pieces(template):
        if piece.kind == "variable":
            parts.append(piece.source if _SIMPLE.fullmatch(piece.source) else "{{" + piece.name + "}}")
            continue
        if piece.kind == "include":
            slug, _, which = piece.name.partition("@")
            where = f"version={which}" if which.isdigit() else f"label={which or 'latest'}"
            parts.append(f"@@@langfusePrompt:name={slug}|{where}@@@")
            includes.append(slug)
            continue
        parts.append(piece.source)
        if piece.kind == "block":
            unknown.append(f"{{% {piece.name} %}}")
        elif piece.kind != "text":
            unknown.append({"expression": piece.source[:60]}.get(piece.kind, f"a {piece.kind} part"))
    return "".join(parts), list(dict.fromkeys(unknown)), list(dict.fromkeys(includes))


def read(document: Any, place: str) -> list[Found]:
    """The prompt of one object, as its API gives or takes it."""
    losses: list[str] = []
    try:
        return [Found(place, _record(document, losses), losses)]
    except UnreadableFile as error:
        return [Found(place, problem=str(error))]


def _record(document: dict[str, Any], losses: list[str]) -> PromptRecord:
    folder, _, name = str(document.get("name") or "").rpartition("/")
    prompt = document["prompt"]
    raw = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    messages = [_message(item, number, losses) for number, item in enumerate(raw, 1)]
    if any(_answers_nothing(message) for message in messages):
        losses.append("Answers of tools are left out: the calls that they answer are not in the file.")
        messages = [message for message in messages if not _answers_nothing(message)]
    config = document.get("config") or {}
    if not isinstance(config, dict):
        losses.append("The config, which is no object.")
        config = {}
    parameters, tools, schema = openai_json.read_parameters(config, losses, all_extra=False)
    tags = _texts(document, "tags")
    labels = [label for label in _texts(document, "labels") if label != "latest"]
    if labels:
        losses.append(f"Labels ({', '.join(labels)}) are not set by an import; set them once it is there.")
    unknown = sorted(key for key in document if key not in (*_FIELDS, *_IGNORED))
    losses += [f"“{key}” cannot be kept." for key in unknown]
    note = document.get("commitMessage") or ""
    return PromptRecord(
        name=name,
        folder=folder,
        tags=tags,
        note=note if isinstance(note, str) else "",
        messages=messages,
        parameters=parameters,
        tools=tools,
        response_schema=schema,
    )


def _answers_nothing(message: dict[str, Any]) -> bool:
    return message["role"] == "tool" and not message.get("tool_call_id")


def _texts(document: dict[str, Any], name: str) -> list[str]:
    value = document.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UnreadableFile(f"{name}: give a list of texts.")
    return value


def _message(raw: Any, number: int, losses: list[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise UnreadableFile(f"Message {number}: give an object with role and content.")
    if raw.get("type") == "placeholder":
        name = identifier(str(raw.get("name", "")))
        if name != raw.get("name"):
            losses.append(
                f"Message {number}: the placeholder {str(raw.get('name'))[:60]!r} is called {name!r}."
            )
        return {"role": "placeholder", "name": name}
    plain = {key: value for key, value in raw.items() if key != "type"}
    if isinstance(plain.get("content"), str):
        plain["content"] = _TAG.sub(_include, plain["content"])
    return openai_json.read_message(plain, f"Message {number}", losses)


def _include(match: re.Match[str]) -> str:
    """Its names of prompts as ours: what our slug would be of the name without its folder."""
    slug = re.sub(r"[^a-z0-9_]+", "-", match[1].rpartition("/")[2].lower()).strip("-")
    which = match[2] or match[3]
    return f'{{% include "{slug if which == "latest" else f"{slug}@{which}"}" %}}'
