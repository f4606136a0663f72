"""Writing prompts, versions and labels. Each service is one transaction with its audit row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.locks import transaction_lock
from apps.core.models import Project
from apps.core.slugs import clean_slug, unique_slug
from apps.prompts.content import VersionContent, parse_content
from apps.prompts.errors import (
    InvalidContent,
    NothingChanged,
    PromptArchived,
    PromptNameTaken,
    PromptSlugTaken,
    StaleParentError,
)
from apps.prompts.including import includes_resolve
from apps.prompts.messages import MessageError
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.tags import clean_tags

#: As a parent: whatever version is newest, for callers that do not edit from one.
NEWEST: Final = "newest"
Parent = PromptVersion | Literal["newest"] | None
_MAX_NAME, _MAX_FOLDER, _MAX_MESSAGE = 120, 200, 500


def clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > _MAX_NAME:
        raise InvalidInput(
            f"A prompt's name has 1 to {_MAX_NAME} characters.",
            fields={"name": [f"Give 1 to {_MAX_NAME} characters."]},
        )
    return name


def clean_folder(folder: str) -> str:
    """ "a / b/" becomes "a/b"; "" is no folder."""
    folder = "/".join(part for piece in folder.split("/") if (part := " ".join(piece.split())))
    if len(folder) > _MAX_FOLDER:
        raise InvalidInput(
            f"A folder's path has at most {_MAX_FOLDER} characters.",
            fields={"folder": [f"At most {_MAX_FOLDER} characters."]},
        )
    return folder


def prompt_create(
    *,
    project: Project,
    by: Actor,
    name: str,
    slug: str = "",
    folder: str = "",
    tags: Sequence[str] = (),
) -> Prompt:
    """A new prompt without versions. The slug is made from the name where none is given.

    Raises InvalidInput, PromptNameTaken for a name that a prompt in use has, PromptSlugTaken when the slug
    that was asked for is another prompt's, archived or not.
    """
    name, folder, tags = clean_name(name), clean_folder(folder), clean_tags(tags)
    wanted = clean_slug(slug) if slug else ""
    prompts = Prompt.objects.filter(project=project)
    with transaction.atomic():
        _lock_names(project)
        _refuse_taken_name(project, name)
        if wanted and prompts.filter(slug=wanted).exists():
            raise PromptSlugTaken(
                f"There is a prompt “{wanted}” in this project already. Choose another slug.",
                fields={"slug": ["Taken by another prompt."]},
            )
        wanted = wanted or unique_slug(prompts, name)
        prompt = Prompt.objects.create(
            project=project, slug=wanted, name=name, folder=folder, tags=tags, **Prompt.author_fields(by)
        )
        after = {"name": name, "slug": wanted, "folder": folder} | ({"tags": tags} if tags else {})
        audit(by, "prompt.create", prompt, project=project, after=after)
    return prompt


def _lock_names(project: Project) -> None:
    """Those who give a prompt a name in a project take turns, so that two cannot give the same one."""
    transaction_lock(f"prompt names of {project.pk}")


def _refuse_taken_name(project: Project, name: str, *, but: Prompt | None = None) -> None:
    taken = Prompt.objects.filter(project=project, archived_at=None, name__iexact=name)
    if (taken.exclude(pk=but.pk) if but else taken).exists():
        raise PromptNameTaken(
            f"There is a prompt called “{name}” in this project already. Choose another name.",
            fields={"name": ["Taken by another prompt."]},
        )


def prompt_rename(*, prompt: Prompt, by: Actor, name: str) -> Prompt:
    """Change the name; the slug, and so every link, stays. Raises PromptNameTaken."""
    name = clean_name(name)
    with transaction.atomic():
        _lock_names(prompt.project)
        _refuse_taken_name(prompt.project, name, but=prompt)
        return _change(prompt, by, "prompt.rename", name=name)


def prompt_move(*, prompt: Prompt, by: Actor, folder: str) -> Prompt:
    """Put the prompt into a folder; "" takes it out."""
    return _change(prompt, by, "prompt.move", folder=clean_folder(folder))


def prompt_tag(*, prompt: Prompt, by: Actor, tags: Sequence[str]) -> Prompt:
    """Give the prompt these tags and no others. Raises InvalidInput."""
    return _change(prompt, by, "prompt.tag", tags=clean_tags(tags))


def prompts_move(*, prompts: Sequence[Prompt], by: Actor, folder: str) -> int:
    """Put several prompts of a project into a folder ("" takes them out); how many were elsewhere."""
    folder = clean_folder(folder)
    with transaction.atomic():
        moving = Prompt.objects.filter(pk__in=[prompt.pk for prompt in prompts]).exclude(folder=folder)
        found = list(moving.select_related("project").select_for_update(no_key=True, of=("self",)))
        Prompt.objects.filter(pk__in=[prompt.pk for prompt in found]).update(
            folder=folder, changed_at=timezone.now()
        )
        for prompt in found:
            before, after = {"folder": prompt.folder}, {"folder": folder}
            audit(by, "prompt.move", prompt, project=prompt.project, before=before, after=after)
    return len(found)


def prompt_archive(*, prompt: Prompt, by: Actor) -> Prompt:
    """Take the prompt out of the lists. Nothing is deleted, and what uses it goes on."""
    return prompt if prompt.archived_at else _change(prompt, by, "prompt.archive", archived_at=timezone.now())


def prompt_restore(*, prompt: Prompt, by: Actor) -> Prompt:
    """Bring it back into the lists. Raises PromptNameTaken when another prompt got its name meanwhile."""
    with transaction.atomic():
        _lock_names(prompt.project)
        _refuse_taken_name(prompt.project, prompt.name, but=prompt)
        return _change(prompt, by, "prompt.restore", archived_at=None)


def prompt_change(
    *,
    prompt: Prompt,
    by: Actor,
    name: str | None = None,
    folder: str | None = None,
    tags: Sequence[str] | None = None,
    archived: bool | None = None,
) -> Prompt:
    """Rename, move, tag, archive or restore in one transaction; None leaves a thing as it is."""
    with transaction.atomic():
        if name is not None:
            prompt_rename(prompt=prompt, by=by, name=name)
        if folder is not None:
            prompt_move(prompt=prompt, by=by, folder=folder)
        if tags is not None:
            prompt_tag(prompt=prompt, by=by, tags=tags)
        if archived is not None:
            (prompt_archive if archived else prompt_restore)(prompt=prompt, by=by)
    return prompt


def _change(prompt: Prompt, by: Actor, action: str, **fields: Any) -> Prompt:
    """Write `fields`, unless the prompt has those values already."""
    with transaction.atomic():
        current = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
        before = {name: getattr(current, name) for name in fields}
        for name, value in fields.items():
            setattr(current, name, value)
            setattr(prompt, name, value)
        if before != fields:
            current.save(update_fields=[*fields, "changed_at"])
            audit(
                by,
                action,
                current,
                project=prompt.project,
                before=_plain(before),
                after=_plain(fields),
            )
    return prompt


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | list | None) else value.isoformat()
        for name, value in fields.items()
    }


def prompt_version_create(
    *,
    prompt: Prompt,
    by: Actor,
    messages: Any,
    parameters: Any = None,
    tools: Any = None,
    response_schema: Any = None,
    commit_message: str = "",
    parent: Parent = NEWEST,
) -> PromptVersion:
    """Save the next version of a prompt.

    The four content arguments are JSON as `apps.prompts.content.parse_content` takes it. `parent` is the
    version that was edited (None: there was none yet); NEWEST skips that check. Includes are resolved now,
    and the version keeps what they came to; the same text with includes that come to another is a new
    version.
    Raises InvalidContent, PromptArchived, NothingChanged when the content is that of the newest version, and
    StaleParentError when someone saved a newer version than `parent` meanwhile.
    """
    content = checked_content(messages, parameters, tools, response_schema)
    note = _clean_note(commit_message)
    with transaction.atomic():
        # One saver at a time; then read.
        locked = Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
        latest = prompt.versions.order_by("-number").first()
        includes = includes_resolve(project=prompt.project, messages=content.messages, prompt=prompt)
        content = replace(content, includes=includes)
        _check_may_follow(locked, latest, parent, content)
        version = _append(prompt, by, content, note, latest)
        locked.save(update_fields=["changed_at"])
        after = {"prompt": prompt.slug, "number": version.number, "commit_message": note}
        audit(by, "prompt_version.create", version, project=prompt.project, after=after)
    return version


def _clean_note(text: str) -> str:
    if len(text) > _MAX_MESSAGE:
        raise InvalidInput(
            f"A commit message has at most {_MAX_MESSAGE} characters.",
            fields={"commit_message": [f"At most {_MAX_MESSAGE} characters."]},
        )
    return text.strip()


def _append(
    prompt: Prompt, by: Actor, content: VersionContent, note: str, latest: PromptVersion | None
) -> PromptVersion:
    return prompt.versions.create(
        number=latest.number + 1 if latest else 1,
        parent=latest,
        variables=content.variables,
        search_text=f"{note}\n{content.search_text()}",
        commit_message=note,
        includes=content.includes,
        **content.fields(),
        **PromptVersion.author_fields(by),
    )


def checked_content(messages: Any, parameters: Any, tools: Any, response_schema: Any) -> VersionContent:
    """The content, parsed. Raises InvalidContent with every bad field."""
    try:
        return parse_content(
            messages=messages,
            parameters=parameters,
            tools=tools,
            response_schema=response_schema,
        )
    except MessageError as error:
        raise InvalidContent.from_parsing(error) from error


def _check_may_follow(
    prompt: Prompt,
    latest: PromptVersion | None,
    parent: Parent,
    content: VersionContent,
) -> None:
    if prompt.archived_at:
        raise PromptArchived(f"“{prompt.name}” is archived. Restore it before you save a version.")
    if latest is None:
        return
    if content_of(latest).same_as(content):
        raise NothingChanged(
            f"This is the same as version {latest.number}, so no new version was saved.",
            number=latest.number,
        )
    if parent != NEWEST and (parent is None or parent.pk != latest.pk):
        raise StaleParentError(ours=parent, theirs=latest, content=content.fields())


def content_of(version: PromptVersion) -> VersionContent:
    """What a saved version is made of."""
    return VersionContent(
        version.messages, version.parameters, version.tools, version.response_schema, version.includes
    )
