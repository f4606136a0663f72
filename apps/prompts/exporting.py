"""Versions as files of the formats in `apps.prompts.exchange`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.prompts.exchange import own_yaml
from apps.prompts.exchange.formats import FORMATS, Format
from apps.prompts.exchange.record import Endpoint, PromptRecord
from apps.prompts.exchange.templates import includes_of, with_includes
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.connection import DEFAULT_BASE_URL, OPENAI
from apps.providers.models import Provider

_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """A file: its name, its text, and what it does not carry, a sentence each."""

    format: Format
    filename: str
    text: str
    losses: list[str]


def format_named(name: str) -> Format:
    """Raises InvalidInput that names the formats there are."""
    if name not in FORMATS:
        rule = f"Choose one of {', '.join(FORMATS)}."
        raise InvalidInput(f"There is no format {name[:40]!r}. {rule}", fields={"format": [rule]})
    return FORMATS[name]


def version_export(*, version: PromptVersion, format: str) -> Exported:
    """One version in a format. Raises InvalidInput when there is no such format."""
    chosen = format_named(format)
    labels = list(version.labels.order_by("name").values_list("name", flat=True))
    written = chosen.write(record_of(version, labels), endpoint_of(version))
    filename = f"{version.prompt.slug}.v{version.number}.{chosen.ending}"
    return Exported(chosen, filename, written.text, written.losses)


def project_export(*, project: Project) -> Iterator[str]:
    """Our YAML with the newest version of every prompt in use, a document each, in the order of names."""
    newest = (
        PromptVersion.objects.filter(prompt__project=project, prompt__archived_at=None)
        .select_related("prompt")
        .order_by("prompt__name", "prompt_id", "-number")
        .distinct("prompt__name", "prompt_id")
        .defer("search_text")
    )
    for version in newest.iterator(chunk_size=_AT_A_TIME):
        yield own_yaml.write(record_of(version)).text


def record_of(version: PromptVersion, labels: list[str] | None = None) -> PromptRecord:
    prompt: Prompt = version.prompt
    texts = [message.get("content") or "" for message in version.messages]
    references = [reference for text in texts for reference in includes_of(text)]
    return PromptRecord(
        name=prompt.name,
        slug=prompt.slug,
        folder=prompt.folder,
        tags=list(prompt.tags),
        note=version.commit_message,
        messages=version.messages,
        parameters=version.parameters,
        tools=version.tools,
        response_schema=version.response_schema,
        includes=list(dict.fromkeys(references)),
        labels=labels or [],
        variables=list(version.variables),
        resolved=_written_out(version.includes),
    )


def endpoint_of(version: PromptVersion) -> Endpoint | None:
    """Where the version's model answers; None without a model, or when its provider is not there any more."""
    slug, _, model = version.model_name.partition("/")
    provider = Provider.objects.filter(project=version.prompt.project_id, slug=slug).first()
    if provider is None:
        return None
    base_url = provider.base_url or (DEFAULT_BASE_URL if provider.kind == OPENAI else "")
    return Endpoint(provider.kind, base_url, model)


def _written_out(includes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The text that each reference stands for, with what it includes itself written into it."""
    found: dict[str, str] = {}

    def text_of(key: str) -> str:
        if key not in found:
            entry = includes[key]
            inner = {written: text_of(to) for written, to in entry["includes"].items() if to in includes}
            found[key] = with_includes(entry["text"], inner)
        return found[key]

    return {reference: text_of(reference) for reference in includes}
