"""Reading prompts, versions and labels. Everything starts from the project."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, Func, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.core.models import Project
from apps.prompts.errors import PromptNotFound, VersionNotFound
from apps.prompts.models import (
    Prompt,
    PromptLabel,
    PromptLabelMove,
    PromptVersion,
    ProtectedLabel,
)
from apps.prompts.search import MAX_SEARCH_CHARS as MAX_SEARCH_CHARS
from apps.prompts.search import clean_search, matching

LATEST = "latest"


def prompt_list(
    *,
    project: Project,
    search: str = "",
    folder: str | None = None,
    tags: Sequence[str] = (),
    archived: bool | None = False,
) -> QuerySet[Prompt]:
    """The project's prompts with their labels and, as annotations, what the list shows of the newest version:
    `last_number`, `last_author`, `last_message`, `last_model`, `last_saved_at` (None without a version).

    `search` finds names, slugs, and the messages and commit messages of all versions, as
    `apps.prompts.search` says, and adds `relevance`; `folder` takes in its subfolders, "" means those without
    one; `tags` are those that a prompt has all of; `archived` None means both.
    """
    newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number")
    prompts: QuerySet[Prompt] = Prompt.objects.filter(project=project).annotate(
        last_number=Subquery(newest.values("number")[:1]),
        last_author=Subquery(newest.values("author_label")[:1]),
        last_message=Subquery(newest.values("commit_message")[:1]),
        last_model=Subquery(newest.values("parameters__model")[:1]),
        last_saved_at=Coalesce(Subquery(newest.values("created_at")[:1]), "created_at"),
    )
    if archived is not None:
        prompts = prompts.filter(archived_at__isnull=not archived)
    if folder is not None:
        prompts = prompts.filter(
            Q(folder=folder) | Q(folder__startswith=f"{folder}/") if folder else Q(folder="")
        )
    if tags:
        prompts = prompts.filter(tags__contains=list(tags))
    if words := clean_search(search):
        prompts = matching(prompts, project=project, words=words)
    labels = PromptLabel.objects.select_related("version").defer(*_HEAVY_OF_LABEL).order_by("name")
    return prompts.prefetch_related(Prefetch("labels", queryset=labels))


_HEAVY = ("messages", "tools", "response_schema", "includes", "search_text")
_HEAVY_OF_LABEL = tuple(f"version__{name}" for name in _HEAVY)


def folder_list(*, project: Project) -> list[str]:
    """Folders that hold at least one prompt that is not archived, in order."""
    folders = Prompt.objects.filter(project=project, archived_at=None).exclude(folder="")
    return sorted(set(folders.values_list("folder", flat=True)))


def folder_counts(*, project: Project, archived: bool = False) -> list[tuple[str, int]]:
    """Folders with how many prompts lie in each itself; those without a folder are not counted."""
    prompts = Prompt.objects.filter(project=project, archived_at__isnull=not archived).exclude(folder="")
    return list(prompts.values_list("folder").annotate(count=Count("pk")).order_by("folder"))


def tag_counts(*, project: Project, archived: bool = False) -> list[tuple[str, int]]:
    """Tags with how many prompts have each, the most used first."""
    prompts = Prompt.objects.filter(project=project, archived_at__isnull=not archived)
    tags = prompts.annotate(tag=Func("tags", function="unnest")).values_list("tag")
    return list(tags.annotate(count=Count("pk")).order_by("-count", "tag"))


def prompt_get(*, project: Project, slug: str) -> Prompt:
    """One prompt. Raises PromptNotFound."""
    prompt = Prompt.objects.select_related("project").filter(project=project, slug=slug).first()
    if prompt is None:
        raise PromptNotFound(f"There is no prompt “{slug[:80]}” in this project.")
    return prompt


def prompts_by_slug(*, project: Project, slugs: Sequence[str]) -> list[Prompt]:
    """Those of `slugs` that the project has, archived or not."""
    wanted = [slug for slug in slugs if "\x00" not in slug]
    return list(Prompt.objects.filter(project=project, slug__in=wanted).order_by("name"))


def prompt_summary(*, project: Project, slug: str) -> Prompt:
    """One prompt, archived or not, with the annotations of `prompt_list`. Raises PromptNotFound."""
    found = prompt_list(project=project, archived=None).filter(slug=slug).first()
    return found if found is not None else prompt_get(project=project, slug=slug)


def version_history(*, prompt: Prompt) -> QuerySet[PromptVersion]:
    """All versions, newest first, with their labels and without their contents."""
    return prompt.versions.defer(*_HEAVY).prefetch_related("labels").order_by("-number")


def version_latest(*, prompt: Prompt) -> PromptVersion | None:
    return prompt.versions.order_by("-number").first()


def version_get(*, prompt: Prompt, version: int | str = LATEST) -> PromptVersion:
    """A version by its number, by a label, or "latest". Raises VersionNotFound."""
    text = str(version)
    versions = prompt.versions.select_related("parent")
    if text == LATEST:
        found = versions.order_by("-number").first()
        missing = f"“{prompt.name}” has no version yet. Save one first."
    elif text.isascii() and text.isdigit():
        number = int(text) if len(text) < 10 else 0
        found = versions.filter(number=number).first()
        missing = f"“{prompt.name}” has no version {text[:20]}."
    else:
        found = versions.filter(labels__name=text.replace("\x00", ""), labels__prompt=prompt).first()
        missing = f"“{prompt.name}” has no label “{text[:60]}”."
    if found is None:
        raise VersionNotFound(missing)
    return found


def label_list(*, prompt: Prompt) -> QuerySet[PromptLabel]:
    return prompt.labels.select_related("version").defer(*_HEAVY_OF_LABEL).order_by("name")


def label_moves(*, prompt: Prompt) -> QuerySet[PromptLabelMove]:
    """Every setting, moving and removing of the prompt's labels, newest first."""
    return prompt.label_moves.select_related("from_version", "to_version").order_by("-id")


def protected_labels(*, project: Project) -> set[str]:
    """Names of labels that only an approver may move."""
    return set(ProtectedLabel.objects.filter(project=project).values_list("name", flat=True))


def version_numbers(*, prompt: Prompt) -> list[int]:
    """Numbers of all versions, newest first."""
    return list(prompt.versions.order_by("-number").values_list("number", flat=True))
