"""From a file's prompts to prompts of a project: each a new one, or the next version of one that is there.

What would happen is found out by doing it and taking it back, so that the preview tells the whole truth,
includes among the file's own prompts as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import InvalidInput, ProductError
from apps.core.models import Project
from apps.core.slugs import SLUG_RE
from apps.prompts.errors import NothingChanged
from apps.prompts.exchange.formats import read_file
from apps.prompts.exchange.record import Found, PromptRecord, UnreadableFile, model_alone
from apps.prompts.exchange.templates import includes_of
from apps.prompts.models import Prompt
from apps.prompts.parameters import MODEL_RE
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.models import Provider
from apps.providers.selectors import model_names

Kind = Literal["created", "saved", "unchanged", "failed", "skipped"]
MAX_NOTE = 500


class ImportRefused(InvalidInput):
    """The file as a whole cannot be read."""

    code = "import_refused"
    title = "The file cannot be read"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to become of one prompt of the file. `into` is the slug of a prompt that gets the next version;
    "" makes a new one called `name`."""

    name: str = ""
    into: str = ""
    take: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became, or would become, of one prompt. `reason` tells a failure, or why nothing was written."""

    found: Found
    choice: Choice
    kind: Kind
    losses: list[str] = field(default_factory=list)
    reason: str = ""
    slug: str = ""
    number: int | None = None
    variables: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Models:
    """The project's models as "provider/model", and its providers' slugs, those without listed models too."""

    names: list[str]
    providers: set[str]


def read_import(raw: bytes) -> tuple[list[str], list[Found]]:
    """The formats of a file and what it holds. Raises ImportRefused."""
    try:
        return read_file(raw)
    except UnreadableFile as error:
        raise ImportRefused(str(error), fields={"content": [str(error)]}) from error


def proposed(
    *, project: Project, found: Sequence[Found], name: str = "", into: str = "", folder: str = ""
) -> list[Choice]:
    """What is likely wanted: a prompt that is there under the same slug or name gets the next version.

    `name` is for prompts of formats without one; `into` is a slug for the only prompt of a file.
    """
    prompts = Prompt.objects.filter(project=project, archived_at=None).only("slug", "name")
    by_slug = {prompt.slug: prompt for prompt in prompts}
    by_name = {prompt.name.casefold(): prompt for prompt in by_slug.values()}
    choices = []
    several = len(found) > 1
    for number, one in enumerate(found, 1):
        record = one.record or PromptRecord()
        called = " ".join(record.name.split())[:120] or (f"{name} {number}" if several else name)
        there = by_slug.get(record.slug) or by_name.get(called.casefold())
        choices.append(Choice(called, into if into and not several else there.slug if there else ""))
    return choices


def prompts_import(
    *,
    project: Project,
    by: Actor,
    found: Sequence[Found],
    choices: Sequence[Choice],
    folder: str = "",
    dry_run: bool = False,
) -> list[Outcome]:
    """Write what was chosen, each prompt by itself: one that fails is told, and the others are kept.

    Prompts that others of the file include go first. `folder` is for those whose file names none. With
    `dry_run` everything is taken back again.
    """
    providers = Provider.objects.filter(project=project, archived_at=None).values_list("slug", flat=True)
    known = _Models(model_names(project=project), set(providers))
    outcomes: dict[int, Outcome] = {}
    with transaction.atomic():
        for index in _in_order(found, choices):
            one, choice = found[index], choices[index]
            if one.record is None:
                outcomes[index] = Outcome(one, choice, "failed", reason=one.problem)
            elif not choice.take:
                outcomes[index] = Outcome(one, choice, "skipped", one.losses)
            else:
                outcomes[index] = _import(project, by, one, one.record, choice, known, folder)
        if dry_run:
            transaction.set_rollback(True)
    return [outcomes[index] for index in range(len(found))]


def _import(
    project: Project,
    by: Actor,
    one: Found,
    record: PromptRecord,
    choice: Choice,
    known: _Models,
    folder: str,
) -> Outcome:
    parameters, told = _with_model(record.parameters, known, keep=one.format == "yaml")
    outcome = Outcome(one, choice, "failed", [*one.losses, *told])
    wanted = replace(record, folder=record.folder or folder, parameters=parameters)
    try:
        with transaction.atomic():
            return _write(project, by, wanted, outcome)
    except NothingChanged as same:
        return replace(outcome, kind="unchanged", reason=same.detail, slug=choice.into)
    except ProductError as error:
        texts = [f"{place}: {' '.join(words)}" for place, words in error.fields.items()]
        return replace(outcome, reason="; ".join(texts[:5]) or error.detail)


def _write(project: Project, by: Actor, record: PromptRecord, outcome: Outcome) -> Outcome:
    choice, losses = outcome.choice, list(outcome.losses)
    if choice.into:
        prompt = _prompt(project, choice.into)
        if record.tags and sorted(record.tags) != sorted(prompt.tags):
            losses.append(f"“{prompt.name}” keeps its own tags.")
        if record.folder not in ("", prompt.folder):
            losses.append(f"“{prompt.name}” keeps its own folder.")
    else:
        prompt = _new_prompt(project, by, record, choice, losses)
    if len(record.note) > MAX_NOTE:
        losses.append(f"The note is cut after {MAX_NOTE} characters.")
    version = prompt_version_create(
        prompt=prompt,
        by=by,
        messages=record.messages,
        parameters=record.parameters,
        tools=record.tools,
        response_schema=record.response_schema,
        commit_message=record.note[:MAX_NOTE],
    )
    return replace(
        outcome,
        kind="saved" if choice.into else "created",
        losses=losses,
        slug=prompt.slug,
        number=version.number,
        variables=version.variables,
    )


def _prompt(project: Project, slug: str) -> Prompt:
    prompt = Prompt.objects.select_related("project").filter(project=project, slug=slug).first()
    if prompt is None:
        raise InvalidInput(f"There is no prompt “{slug[:80]}” in this project to save a version of.")
    return prompt


def _new_prompt(
    project: Project, by: Actor, record: PromptRecord, choice: Choice, losses: list[str]
) -> Prompt:
    slug = record.slug
    if slug and (not SLUG_RE.match(slug) or Prompt.objects.filter(project=project, slug=slug).exists()):
        losses.append(f"In addresses it cannot be called “{slug[:80]}” here, and gets a name of its own.")
        slug = ""
    return prompt_create(
        project=project, by=by, name=choice.name, slug=slug, folder=record.folder, tags=record.tags
    )


def _with_model(
    parameters: Mapping[str, Any], known: _Models, *, keep: bool
) -> tuple[dict[str, Any], list[str]]:
    """The parameters with a model of this project, and what had to be left out.

    Our own files keep a model that is not here, so that they come back exactly.
    """
    found = dict(parameters)
    name = found.get("model")
    if not isinstance(name, str) or name in ("", *known.names):
        return found, []
    slug = name.partition("/")[0]
    if MODEL_RE.match(name) and slug in known.providers:
        return found, []
    if keep:
        return found, [f"No provider “{slug[:80]}” is in this project; choose another model before a run."]
    same = [one for one in known.names if model_alone(one) == name]
    if len(same) == 1:
        found["model"] = same[0]
        return found, []
    del found["model"]
    why = f"{len(same)} providers have it" if same else "no provider of this project lists it"
    return found, [f"The model {name[:100]}: {why}. Choose one."]


def _in_order(found: Sequence[Found], choices: Sequence[Choice]) -> Iterator[int]:
    """Indexes, those that others include before them."""
    by_slug = {choice.into or (one.record.slug if one.record else ""): index
               for index, (one, choice) in enumerate(zip(found, choices, strict=True))}  # fmt: skip
    waiting, done = list(reversed(range(len(found)))), set[int]()
    opened = set[int]()
    while waiting:
        index = waiting[-1]
        first = [by_slug[slug] for slug in _included(found[index].record) if slug in by_slug]
        first = [one for one in first if one not in done and one not in opened and one != index]
        if index not in done and first:
            opened.add(index)
            waiting += first
            continue
        waiting.pop()
        if index not in done:
            done.add(index)
            yield index


def _included(record: PromptRecord | None) -> Iterable[str]:
    """Slugs of the prompts that the record's messages include."""
    for message in record.messages if record else ():
        text = message.get("content") if isinstance(message, dict) else None
        if isinstance(text, str) and "include" in text:
            yield from (reference.partition("@")[0] for reference in includes_of(text))
