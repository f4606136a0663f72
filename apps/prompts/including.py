"""From the includes of a prompt's messages to what they stand for when a version is saved.

An include is resolved once. A version keeps what it came to, the included texts with it, so that no label
that moves later and no newer version changes how it renders. What an included version includes itself is as
that version keeps it: "tone@3" is the same text wherever it is included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.models import Project
from apps.prompts.errors import InvalidContent
from apps.prompts.included_versions import Target, targets_of
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.rendering import (
    MAX_INCLUDE_DEPTH,
    IncludeFailed,
    IncludeTag,
    Reference,
    RenderError,
    check_templates,
    include_tags,
    parse_reference,
)

MAX_INCLUDED_CHARS = 1_000_000
MAX_INCLUDED_PROMPTS = 200
#: What includes came to, by reference: the shape of `PromptVersion.includes`.
Includes = dict[str, dict[str, Any]]
_BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the includes came to, and those that cannot be resolved, each with its place."""

    includes: Includes
    problems: list[RenderError]
    #: The references in the messages that could be resolved, in order.
    references: tuple[str, ...] = ()

    def kept(self) -> list[KeptInclude]:
        """What they came to, in the shape of `kept_includes`."""
        own = [
            KeptInclude(text, self.includes[text]["prompt"], self.includes[text]["version"])
            for text in self.references
        ]
        return own + _through(self.includes, self.references)


def includes_resolve(
    *, project: Project, messages: Sequence[Mapping[str, Any]], prompt: Prompt | None = None
) -> Includes:
    """What the includes of `messages` stand for now, in the shape of `PromptVersion.includes`.

    `prompt` is the one the messages belong to, which may not include itself by any way. Raises InvalidContent
    that names message, line and column of each include that cannot be resolved.
    """
    found = resolution_of(project=project, messages=messages, prompt=prompt)
    if found.problems:
        raise invalid_includes(found.problems)
    return found.includes


def invalid_includes(problems: Sequence[RenderError]) -> InvalidContent:
    """The problems as one error of the product; `places` tells them to programs."""
    fields: dict[str, list[str]] = {}
    for problem in problems:
        fields.setdefault(problem.field, []).append(f"{problem}.")
    places = [
        {
            "place": problem.field,
            "message_index": problem.message_index,
            "line": problem.line,
            "column": problem.column,
            "reason": problem.reason,
        }
        for problem in problems
    ]
    return InvalidContent("; ".join(map(str, problems[:3])) + ".", fields=fields, places=places)


def resolution_of(
    *, project: Project, messages: Sequence[Mapping[str, Any]], prompt: Prompt | None = None
) -> Resolution:
    """As `includes_resolve`, without raising: what is wrong stands beside what could be resolved."""
    tags = include_tags(messages)
    references = {tag.reference: _parsed(tag.reference) for _, tag in tags}
    if not references:
        return Resolution({}, [])
    targets = targets_of(project=project, references=references.values())
    own = prompt.slug if prompt else None
    entries: Includes = {}
    reasons: dict[str, str] = {}
    for text, reference in references.items():
        try:
            entries |= _entries_of(text, reference, targets[reference], own, entries)
        except IncludeFailed as error:
            reasons[text] = error.reason
    problems = [_placed(i, tag, reasons[tag.reference]) for i, tag in tags if tag.reference in reasons]
    return Resolution(entries, problems, tuple(text for text in references if text not in reasons))


def _parsed(text: str) -> Reference:
    reference = parse_reference(text)
    assert reference is not None  # a text with another does not compile
    return reference


def _placed(index: int, tag: IncludeTag, reason: str) -> RenderError:
    place = tag.place
    return IncludeFailed(
        reason, message_index=index, line=int(place), column=place.column, end_column=place.end_column
    )


def _entries_of(
    text: str, reference: Reference, target: Target, own: str | None, known: Includes
) -> Includes:
    """The entries that one include adds: its own, and those of the version it stands for."""
    if own == reference.slug:
        raise IncludeFailed(f"a prompt cannot include itself ({own} → {own})")
    if target.version is None:
        raise IncludeFailed(target.missing)
    version = target.version
    inner: Includes = {_key(entry): dict(entry) for entry in version.includes.values()}
    entry = {
        "prompt": reference.slug,
        "version": version.number,
        "version_id": str(version.pk),
        "text": included_text(version, reference.slug),
        "includes": {written: _key(version.includes[written]) for written in direct_references(version)},
    }
    _refuse_cycle(entry, inner, own)
    added = {text: entry, **inner}
    _refuse_too_much(known | added)
    return added


def direct_references(version: PromptVersion) -> list[str]:
    """The references that stand in a version's own messages, in order, each once."""
    if not version.includes:
        return []
    written = dict.fromkeys(tag.reference for _, tag in include_tags(version.messages))
    return [reference for reference in written if reference in version.includes]


def _key(entry: Mapping[str, Any]) -> str:
    return f"{entry['prompt']}@{entry['version']}"


def included_text(version: PromptVersion, slug: str) -> str:
    """What an include of `version` puts in: its messages' texts, with an empty line between them.

    Raises IncludeFailed for a version that cannot stand inside a text.
    """
    name = f"“{slug}” version {version.number}"
    placeholder = next((m["name"] for m in version.messages if m["role"] == "placeholder"), None)
    if placeholder is not None:
        raise IncludeFailed(
            f"{name} cannot be included: it has a placeholder for messages (“{placeholder}”), "
            "and messages cannot stand inside a text"
        )
    text = _BETWEEN.join(filter(None, (message.get("content") for message in version.messages)))
    if not text.strip():
        raise IncludeFailed(f"{name} cannot be included: none of its messages has a text")
    for error in check_templates([{"role": "user", "content": text}]):
        raise IncludeFailed(f"{name} cannot be included: {error.reason}")
    return text


def _refuse_cycle(entry: Mapping[str, Any], inner: Includes, own: str | None) -> None:
    """Raises IncludeFailed when `entry` leads back to the prompt `own`, or deeper than is allowed."""
    ways: list[tuple[Mapping[str, Any], tuple[str, ...]]] = [(entry, ())]
    seen: set[tuple[str, int]] = set()
    while ways:
        here, before = ways.pop(0)
        way = (*before, here["prompt"])
        if here["prompt"] == own:
            raise IncludeFailed(
                f"these prompts include each other in a circle: {' → '.join((str(own), *way))}"
            )
        if len(way) > MAX_INCLUDE_DEPTH:
            raise IncludeFailed(
                f"prompts include each other more than {MAX_INCLUDE_DEPTH} levels deep: {' → '.join(way)}"
            )
        ways += [(inner[key], way) for key in here["includes"].values() if (key, len(way)) not in seen]
        seen |= {(key, len(way)) for key in here["includes"].values()}


def _refuse_too_much(entries: Includes) -> None:
    size = sum(len(entry["text"]) for entry in entries.values())
    if size > MAX_INCLUDED_CHARS:
        raise IncludeFailed(
            f"all included prompts together have at most {MAX_INCLUDED_CHARS:,} characters, not {size:,}"
        )
    if len(entries) > MAX_INCLUDED_PROMPTS:
        raise IncludeFailed(f"a prompt includes at most {MAX_INCLUDED_PROMPTS} others, by all ways together")


@dataclass(frozen=True, slots=True)
class KeptInclude:
    """A reference in a version's messages: the version that it keeps, and the one that the reference stands
    for now (None: the same, or nothing any more)."""

    reference: str
    slug: str
    number: int
    moved_to: int | None = None
    #: Included by what this includes, "" for the version's own.
    through: str = ""


def kept_includes(*, project: Project, version: PromptVersion) -> list[KeptInclude]:
    """What a version's includes resolved to, its own first, then those of the included prompts."""
    if not version.includes:
        return []
    own = direct_references(version)
    parsed = {text: _parsed(text) for text in own}
    targets = targets_of(project=project, references=parsed.values(), contents=False)
    kept: list[KeptInclude] = []
    for text, reference in parsed.items():
        entry = version.includes[text]
        now = targets[reference].number
        kept.append(
            KeptInclude(text, entry["prompt"], entry["version"], now if now != entry["version"] else None)
        )
    return kept + _through(version.includes, own)


def _through(includes: Mapping[str, Mapping[str, Any]], own: Iterable[str]) -> list[KeptInclude]:
    inner: dict[str, KeptInclude] = {}
    queue = [includes[text] for text in own]
    while queue:
        here = queue.pop(0)
        for written, key in here["includes"].items():
            entry = includes.get(key)
            if entry is not None and key not in inner:
                inner[key] = KeptInclude(written, entry["prompt"], entry["version"], None, here["prompt"])
                queue.append(entry)
    return list(inner.values())
