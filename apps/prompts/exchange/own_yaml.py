"""Our own YAML: everything a version is made of, so that it comes back exactly. One document a prompt."""

from __future__ import annotations

from typing import Any

import yaml

from apps.prompts.exchange.record import Endpoint, Found, PromptRecord, UnreadableFile, Written
from apps.prompts.exchange.yaml_text import FileDumper
from apps.prompts.parameters import KNOWN

FORMAT = "llmops-web/prompt"
FORMAT_VERSION = 1
_TEXTS = ("name", "slug", "folder", "note")
_LISTS = ("tags", "includes", "messages", "tools")
_FIELDS = ("format", "format_version", *_TEXTS, *_LISTS, "parameters", "response_schema")
_MESSAGE = ("role", "name", "tool_call_id", "content", "tool_calls")


def recognises(document: Any) -> bool:
    return isinstance(document, dict) and str(document.get("format", "")).startswith("llmops-web/")


def write(record: PromptRecord, _endpoint: Endpoint | None = None) -> Written:
    """One document, beginning with `---`. Nothing is lost but labels, which belong to the project."""
    document: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
    document |= {
        name: getattr(record, name) for name in ("name", "slug", "folder", "tags", "note", "includes")
    }
    document["messages"] = [
        {key: message[key] for key in _MESSAGE if message.get(key) is not None} for message in record.messages
    ]
    document["parameters"] = {key: record.parameters[key] for key in KNOWN if key in record.parameters}
    document |= {"tools": record.tools, "response_schema": record.response_schema}
    kept = {key: value for key, value in document.items() if value not in ("", [], {}, None)}
    text = yaml.dump(kept, Dumper=FileDumper, explicit_start=True, **FileDumper.STYLE)
    labels = ", ".join(record.labels)
    losses = [f"Labels ({labels}) stay in this project; an import moves none."] if labels else []
    return Written(text, losses)


def read(document: Any, place: str) -> list[Found]:
    """The prompt of one document."""
    try:
        return [Found(place, _record(document))]
    except UnreadableFile as error:
        return [Found(place, problem=str(error))]


def _record(document: dict[str, Any]) -> PromptRecord:
    if document.get("format") != FORMAT or document.get("format_version") != FORMAT_VERSION:
        kind = f"{str(document.get('format'))[:40]} {str(document.get('format_version'))[:20]}"
        raise UnreadableFile(f"This is {kind}; {FORMAT} {FORMAT_VERSION} can be read here.")
    for key in document:
        if key not in _FIELDS:
            raise UnreadableFile(f"There is no field “{key[:60]}”; a prompt has {', '.join(_FIELDS)}.")
    fields: dict[str, Any] = {name: _typed(document, name, str, "") for name in _TEXTS}
    fields |= {name: _typed(document, name, list, []) for name in _LISTS}
    for name in ("tags", "includes"):
        if not all(isinstance(item, str) for item in fields[name]):
            raise UnreadableFile(f"{name}: give a list of texts.")
    if not fields["name"]:
        raise UnreadableFile("name: a prompt has a name.")
    fields["parameters"] = _typed(document, "parameters", dict, {})
    fields["response_schema"] = document.get("response_schema")
    return PromptRecord(**fields)


def _typed(document: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        words: dict[Any, str] = {
            str: "a text (in quotation marks, if it looks like a number)",
            list: "a list",
            dict: "an object",
        }
        raise UnreadableFile(f"{name}: give {words[kind]}.")
    return value
