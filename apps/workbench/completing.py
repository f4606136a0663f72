"""What can stand between an include's quotation marks: prompts, their labels and their newest versions."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Prefetch, Q, Subquery

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptLabel, PromptVersion

MOST_PROMPTS = 20
_MOST_CHARS = 200


def include_completions(*, project: Project, typed: str) -> dict[str, Any]:
    """{"results": [{"insert": "tone@production", "detail": …}, …], "prompts": [{"slug", "name", "folder",
    "latest", "labels": {name: number}}, …]}: prompts in use that have a version, found by name or slug; after
    an @ only the one before it.
    """
    wanted, at, _ = typed.replace("\x00", "")[:_MOST_CHARS].strip().partition("@")
    prompts = [_as_json(prompt) for prompt in _found(project, wanted, exact=bool(at))]
    return {"results": [option for prompt in prompts for option in _options(prompt)], "prompts": prompts}


def _found(project: Project, wanted: str, *, exact: bool) -> list[Prompt]:
    newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number").values("number")[:1]
    prompts = Prompt.objects.filter(project=project, archived_at=None)
    if exact:
        prompts = prompts.filter(slug=wanted)
    elif wanted:
        prompts = prompts.filter(Q(slug__icontains=wanted) | Q(name__icontains=wanted))
    labels = PromptLabel.objects.annotate(number=Subquery(_number_of_label())).order_by("name")
    return list(
        prompts.annotate(latest=Subquery(newest))
        .filter(latest__isnull=False)
        .prefetch_related(Prefetch("labels", queryset=labels))
        .order_by("name", "id")[:MOST_PROMPTS]
    )


def _number_of_label() -> Any:
    return PromptVersion.objects.filter(pk=OuterRef("version")).values("number")[:1]


def _as_json(prompt: Any) -> dict[str, Any]:
    return {
        "slug": prompt.slug,
        "name": prompt.name,
        "folder": prompt.folder,
        "latest": prompt.latest,
        "labels": {label.name: label.number for label in prompt.labels.all()},
    }


def _options(prompt: dict[str, Any]) -> list[dict[str, str]]:
    slug, name, latest = prompt["slug"], prompt["name"], prompt["latest"]
    labels = [
        {"insert": f"{slug}@{label}", "detail": f"{name}, version {number}"}
        for label, number in prompt["labels"].items()
    ]
    fixed = {"insert": f"{slug}@{latest}", "detail": f"{name}, version {latest} for good"}
    newest = {"insert": slug, "detail": f"{name}, the newest when saved ({latest})"}
    return [*labels, fixed, newest]
