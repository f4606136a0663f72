"""A prompt as files carry it, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class UnreadableFile(ValueError):
    """A file, or one prompt of it, that cannot be read. The text says what is wrong and on which line."""


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """One prompt with one version's content, in the shapes of `apps.prompts.content.VersionContent`.

    What was read is raw: nothing but its outer shape is checked. `parameters["model"]` is written as the file
    has it, with or without a provider. `includes` are references as they are written; `labels` and `resolved`
    (reference: text of the prompt that is included) are known when a version is written out only.
    """

    name: str = ""
    slug: str = ""
    folder: str = ""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    response_schema: dict[str, Any] | None = None
    includes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    resolved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a version's model answers: the provider's kind and address, the model's name there."""

    kind: str = ""
    base_url: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A file's text, and what it does not carry, a sentence each."""

    text: str
    losses: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """One prompt of a file: as a record, or what keeps it from being one. `place` says where it stands,
    `format` is a name of `formats.FORMATS`."""

    place: str
    record: PromptRecord | None = None
    losses: list[str] = field(default_factory=list)
    problem: str = ""
    format: str = ""


def model_alone(model: str) -> str:
    """ "provider/model" without the provider."""
    return model.partition("/")[2] or model


def left_out(record: PromptRecord, *names: str) -> list[str]:
    """One sentence on those of `names` that are set, for a format without a place for them."""
    parts = [name.replace("_", " ") for name in names if getattr(record, name)]
    if not parts:
        return []
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    verb = "has" if len(parts) == 1 and parts[0] in ("name", "folder", "note", "slug") else "have"
    return [f"{listed.capitalize()} {verb} no place in this format."]
