"""A prompt made from another."""

from __future__ import annotations

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import content_of, prompt_create, prompt_version_create


def prompt_duplicate(
    *, version: PromptVersion, by: Actor, name: str, folder: str | None = None
) -> tuple[Prompt, PromptVersion]:
    """A new prompt whose first version is `version`; its note and the audit log say where it comes from.

    The folder is the original's unless one is given; tags come along, labels do not. What a label that it
    includes points to is asked anew. Raises PromptNameTaken.
    """
    original = version.prompt
    note = f"Copy of version {version.number} of {original.slug}"
    with transaction.atomic():
        made = prompt_create(
            project=original.project,
            by=by,
            name=name,
            folder=original.folder if folder is None else folder,
            tags=original.tags,
        )
        first = prompt_version_create(
            prompt=made, by=by, commit_message=note, parent=None, **content_of(version).fields()
        )
        after = {"from": original.slug, "version": version.number, "slug": made.slug}
        audit(by, "prompt.duplicate", made, project=original.project, after=after)
    return made, first
