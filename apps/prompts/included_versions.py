"""Reading what includes name: prompts, labels and versions, in a few queries however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, F, Func, OuterRef, Q, QuerySet, Subquery, Value

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptLabel, PromptVersion
from apps.prompts.rendering import Reference


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference stands for now: a version, or why there is none. `version` is None, too, when the
    contents were not asked for."""

    number: int | None = None
    version: PromptVersion | None = None
    missing: str = ""


def targets_of(
    *, project: Project, references: Iterable[Reference], contents: bool = True
) -> dict[Reference, Target]:
    """What each reference stands for in the project. A label that moves meanwhile points to one version or
    the other, never to none: its row is read once, and versions never change."""
    wanted = list(dict.fromkeys(references))
    newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number")
    prompts = {
        prompt.slug: prompt
        for prompt in Prompt.objects.filter(project=project, slug__in={r.slug for r in wanted}).annotate(
            newest_version_id=Subquery(newest.values("pk")[:1])
        )
    }
    ids = _version_ids(wanted, prompts)
    versions = PromptVersion.objects.filter(pk__in={pk for pk in ids.values() if pk})
    versions = versions.only("prompt_id", "number", *(["messages", "includes"] if contents else []))
    by_id = {version.pk: version for version in versions}
    return {
        reference: _target(
            reference,
            prompts.get(reference.slug),
            by_id.get(pk) if (pk := ids.get(reference)) else None,
            contents,
        )
        for reference in wanted
    }


def _version_ids(wanted: list[Reference], prompts: Mapping[str, Any]) -> dict[Reference, UUID | None]:
    """`prompts` by slug, with their `newest_version_id`."""
    known = [reference for reference in wanted if reference.slug in prompts]
    pks = {prompts[reference.slug].pk for reference in known}
    labels = PromptLabel.objects.filter(prompt__in=pks, name__in={r.label for r in known if r.label})
    by_label = {(p, name): pk for p, name, pk in labels.values_list("prompt_id", "name", "version_id")}
    numbers = PromptVersion.objects.filter(
        prompt__in=pks, number__in={r.number for r in known if r.number is not None}
    )
    by_number = {(p, number): pk for p, number, pk in numbers.values_list("prompt_id", "number", "pk")}
    ids: dict[Reference, UUID | None] = {}
    for reference in known:
        prompt = prompts[reference.slug]
        if reference.label:
            ids[reference] = by_label.get((prompt.pk, reference.label))
        elif reference.number is not None:
            ids[reference] = by_number.get((prompt.pk, reference.number))
        else:
            ids[reference] = prompt.newest_version_id
    return ids


def _target(
    reference: Reference, prompt: Prompt | None, version: PromptVersion | None, contents: bool
) -> Target:
    if prompt is None:
        return Target(missing=f"there is no prompt “{reference.slug}” in this project")
    if prompt.archived_at:
        return Target(missing=f"the prompt “{prompt.slug}” is archived; restore it, or take the include out")
    if version is None:
        return Target(missing=_missing(reference))
    return Target(version.number, version if contents else None)


def _missing(reference: Reference) -> str:
    if reference.label:
        return f"“{reference.slug}” has no label “{reference.label}”"
    if reference.number is not None:
        return f"“{reference.slug}” has no version {reference.number}"
    return f"“{reference.slug}” has no version yet; save one first"


def included_by(*, prompt: Prompt) -> QuerySet[Prompt]:
    """The prompts in use whose newest version, or one that a label points to, includes `prompt`, by name.

    Included by way of another prompt counts too.
    """
    newest = PromptVersion.objects.filter(prompt=OuterRef("prompt")).order_by("-number")
    including = PromptVersion.objects.filter(_includes(prompt.slug), prompt__project=prompt.project_id)
    current = including.filter(Q(pk=Subquery(newest.values("pk")[:1])) | Q(labels__isnull=False))
    return Prompt.objects.filter(pk__in=current.values("prompt"), archived_at=None).order_by("name", "id")


def _includes(slug: str) -> Func:
    """Whether any entry of a version's includes is of the prompt `slug`; the column's index answers it."""
    path = Value(f'$.*.prompt == "{slug}"')
    template = "(%(expressions)s::jsonpath)"
    return Func(F("includes"), path, template=template, arg_joiner=" @@ ", output_field=BooleanField())
