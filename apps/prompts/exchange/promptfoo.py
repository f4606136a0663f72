"""The YAML of a promptfoo configuration: prompts as chats, a provider with its parameters, variables.

After its documentation of prompts, providers and test cases. Its templates are Nunjucks, which reads most of
Jinja alike; a chat stands as JSON text, whose values it fills in one by one, so that quotes do no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import yaml

from apps.prompts.exchange import openai_json
from apps.prompts.exchange.reading import plain_value
from apps.prompts.exchange.record import Endpoint, Found, PromptRecord, UnreadableFile, Written, left_out
from apps.prompts.exchange.templates import from_plain, pieces
from apps.prompts.exchange.yaml_text import FileDumper

#: Filters that Nunjucks has under the same name.
_NAMES_OF_FILTERS = (
    "abs batch capitalize center default d dictsort escape e first float forceescape groupby indent "
    "int join last length list lower nl2br random reject rejectattr replace reverse round safe "
    "select selectattr slice sort string striptags sum title trim truncate upper urlencode urlize "
    "wordcount"
)
_FILTERS = frozenset(_NAMES_OF_FILTERS.split())
_FILTER = re.compile(r"\|\s*([a-z_]+)")
_NAMES_OF_BLOCKS = "if elif else endif for endfor set endset macro endmacro raw endraw filter endfilter"
_BLOCKS = frozenset(_NAMES_OF_BLOCKS.split())
_SECRETS = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
_CLIENT = re.compile(
    r"^(?:openai|openrouter|azure|azureopenai|groq|mistral|deepseek|litellm|localai)(?::chat)?:"
)


def recognises(document: Any) -> bool:
    return isinstance(document, dict) and "prompts" in document


def write(record: PromptRecord, endpoint: Endpoint | None = None) -> Written:
    """A configuration that `promptfoo eval` runs once the variables of its test have values."""
    messages, losses = openai_json.request_messages(record)
    losses = left_out(record, "folder", "tags") + losses + _strangers(messages)
    config = openai_json.request_parameters(record, endpoint)
    model = config.pop("model", "")
    if endpoint and endpoint.kind != "openai":
        losses.append("The model answers inside this product only; give promptfoo one that it can reach.")
    elif endpoint and not (urlsplit(endpoint.base_url).hostname or "").endswith("api.openai.com"):
        config["apiBaseUrl"] = endpoint.base_url
    if not model:
        losses.append("No model is chosen; put one into providers.")
    provider = {"id": f"openai:chat:{model}" if model else "openai:chat:gpt-4o-mini"}
    chat = json.dumps(messages, indent=2, ensure_ascii=False)
    document: dict[str, Any] = {
        "description": record.note or record.name,
        "prompts": [{"id": record.slug or record.name, "label": record.name, "raw": chat}],
        "providers": [provider | ({"config": config} if config else {})],
        "tests": [{"vars": dict.fromkeys(record.variables, "")}] if record.variables else [{}],
    }
    if record.variables:
        losses.append(f"Values: fill in {', '.join(record.variables)} under tests.")
    return Written(yaml.dump(document, Dumper=FileDumper, **FileDumper.STYLE), losses)


def _strangers(messages: list[dict[str, Any]]) -> list[str]:
    """What Nunjucks does not know of the texts' Jinja."""
    losses = []
    for number, message in enumerate(messages, 1):
        found: list[str] = []
        for piece in pieces(message.get("content") or ""):
            if piece.kind == "block" and piece.name not in _BLOCKS:
                found.append(f"{{% {piece.name} %}}")
            if piece.kind in ("block", "expression"):
                found += [f"|{name}" for name in _FILTER.findall(piece.source) if name not in _FILTERS]
        if found:
            losses.append(f"Message {number}: Nunjucks does not know {', '.join(dict.fromkeys(found))}.")
    return losses


def read(document: Any, place: str) -> list[Found]:
    """All prompts of a configuration, each with the parameters of its first provider."""
    prompts = document["prompts"]
    entries = prompts if isinstance(prompts, list) else [prompts]
    shared: list[str] = []
    try:
        parameters, tools, schema = _provider(document.get("providers", document.get("targets")), shared)
    except UnreadableFile as error:
        return [Found(f"{place}providers", problem=str(error))]
    for key in ("tests", "defaultTest", "scenarios", "redteam", "env", "nunjucksFilters", "derivedMetrics"):
        if document.get(key):
            number = f" ({len(document[key])})" if isinstance(document[key], list) else ""
            shared.append(f"{key}{number}: rows belong into a dataset here, checks into evaluators.")
    note = document.get("description")
    made = PromptRecord(
        note=note[:500] if isinstance(note, str) else "",
        parameters=parameters,
        tools=tools,
        response_schema=schema,
    )
    return [_prompt(entry, f"{place}prompts[{number}]", made, shared) for number, entry in enumerate(entries)]


def _prompt(entry: Any, place: str, made: PromptRecord, shared: list[str]) -> Found:
    losses = list(shared)
    try:
        name, raw = _named(entry, losses)
        messages = _chat(raw, losses)
    except UnreadableFile as error:
        return Found(place, problem=str(error))
    return Found(place, replace(made, name=name, messages=messages), losses)


def _named(entry: Any, losses: list[str]) -> tuple[str, Any]:
    if not isinstance(entry, dict):
        return "", entry
    unknown = sorted(key for key in entry if key not in ("id", "label", "raw", "display"))
    losses += [f"“{key}” of the prompt cannot be kept." for key in unknown]
    name = entry.get("label") or entry.get("display") or entry.get("id") or ""
    return str(name), entry.get("raw", entry.get("id"))


def _chat(raw: Any, losses: list[str]) -> list[dict[str, Any]]:
    if isinstance(raw, str):
        if re.match(r"(?:file|https?|exec|python|package)[:][/.\w]", raw) and "\n" not in raw.strip():
            raise UnreadableFile(
                f"{raw.strip()[:100]} is another file, which is not in this one; import it by itself."
            )
        chat = _as_chat(raw)
        if chat is None:
            text, remark = from_plain(raw)
            losses += [f"Its text: {remark}."] if remark else []
            return [{"role": "user", "content": text}]
        raw = chat
    if not isinstance(raw, list):
        raise UnreadableFile("A prompt is a text, or a list of messages.")
    return [openai_json.read_message(item, f"Message {n}", losses) for n, item in enumerate(raw, 1)]


def _as_chat(text: str) -> list[Any] | None:
    """The messages in a text that is a chat as JSON or YAML; None for any other text."""
    if not re.match(r"\s*(?:\[\s*\{|-\s+role:)", text):
        return None
    try:
        found = plain_value(text)
    except UnreadableFile:
        return None  # such as [{% for … %}]: a template that makes a chat
    return found if isinstance(found, list) and openai_json.recognises(found) else None


def _provider(raw: Any, losses: list[str]) -> tuple[dict[str, Any], list[Any], Any]:
    entries = raw if isinstance(raw, list) else [raw] if raw else []
    if not entries:
        return {}, [], None
    if len(entries) > 1:
        losses.append(f"{len(entries) - 1} of {len(entries)} providers: a version has one model.")
    name, config = _opened(entries[0])
    body: dict[str, Any] = {"model": _CLIENT.sub("", name)} if name else {}
    for key, value in config.items():
        if _SECRETS.search(key) and not key.startswith(("max_", "safety_", "prompt_")):
            losses.append(f"“{key}” of the provider is not taken over; keys belong to a provider's settings.")
        else:
            body[key] = value
    return openai_json.read_parameters(body, losses, all_extra=False)


def _opened(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """A provider's name and config, in the three ways of writing it."""
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        config = entry.get("config")
        return entry["id"], config if isinstance(config, dict) else {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, options),) = entry.items()
        config = options.get("config") if isinstance(options, dict) else None
        return str(name), config if isinstance(config, dict) else {}
    raise UnreadableFile("A provider is a name, or an object with id and config.")
