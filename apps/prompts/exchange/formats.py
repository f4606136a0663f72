"""The formats by name, which of them a file is in, and what each does not carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from apps.prompts.exchange import langfuse, openai_json, own_yaml, promptfoo
from apps.prompts.exchange.reading import decoded, documents
from apps.prompts.exchange.record import Endpoint, Found, PromptRecord, UnreadableFile, Written

MAX_PROMPTS = 500


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    label: str
    content_type: str
    ending: str
    carries: str
    recognises: Callable[[Any], bool]
    read: Callable[[Any, str], list[Found]]
    write: Callable[[PromptRecord, Endpoint | None], Written]


FORMATS = {
    one.name: one
    for one in (
        Format(
            "yaml",
            "YAML",
            "application/yaml",
            "yaml",
            "Everything; it comes back exactly.",
            own_yaml.recognises,
            own_yaml.read,
            own_yaml.write,
        ),
        Format(
            "openai",
            "OpenAI request",
            "application/json",
            "json",
            "Messages, parameters, tools and the schema; no placeholders, and variables as plain text.",
            openai_json.recognises,
            openai_json.read,
            openai_json.write,
        ),
        Format(
            "promptfoo",
            "promptfoo",
            "application/yaml",
            "promptfoo.yaml",
            "Messages with most of their Jinja, parameters, tools and the schema; no placeholders.",
            promptfoo.recognises,
            promptfoo.read,
            promptfoo.write,
        ),
        Format(
            "langfuse",
            "Langfuse",
            "application/json",
            "langfuse.json",
            "Texts with plain variables, placeholders, parameters, labels and tags; no conditions, loops or "
            "tool calls.",
            langfuse.recognises,
            langfuse.read,
            langfuse.write,
        ),
    )
}
#: Which is asked first: a file that says what it is goes before one that has certain fields.
_ASKED = ("yaml", "promptfoo", "langfuse", "openai")
_UNKNOWN = (
    "This is none of the formats that can be read here: our YAML (format: llmops-web/prompt), an OpenAI "
    "request (messages), a promptfoo configuration (prompts), or a Langfuse prompt (prompt)."
)


def read_file(raw: bytes) -> tuple[list[str], list[Found]]:
    """The formats a file is in, and its prompts, those that cannot be read among them.

    Raises UnreadableFile when the file as a whole cannot be read.
    """
    found: list[Found] = []
    names: list[str] = []
    read = documents(decoded(raw))
    several = [item for document in read for item in _opened(document)]
    if not several:
        raise UnreadableFile("The file is empty.")
    for number, document in enumerate(several, 1):
        place = f"document {number}" if len(several) > 1 else ""
        one = format_of(document)
        if one is None:
            found.append(Found(place, problem=_UNKNOWN))
            continue
        names.append(one.label)
        prompts = one.read(document, place if one.name != "promptfoo" or not place else f"{place}: ")
        found += [replace(prompt, format=one.name) for prompt in prompts]
    if len(found) > MAX_PROMPTS:
        raise UnreadableFile(f"A file has at most {MAX_PROMPTS:,} prompts; this has {len(found):,}.")
    if not names and len(found) == 1:
        raise UnreadableFile(_UNKNOWN)
    return list(dict.fromkeys(names)), found


def _opened(document: Any) -> list[Any]:
    """The prompts of a list of prompts; a list of messages is one."""
    if isinstance(document, list) and not openai_json.recognises(document):
        return document
    return [document]


def format_of(document: Any) -> Format | None:
    return next((FORMATS[name] for name in _ASKED if FORMATS[name].recognises(document)), None)
