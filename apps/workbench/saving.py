"""Saving what was typed as the next version of a prompt, with the labels that move onto it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import Conflict, InvalidInput
from apps.prompts import services
from apps.prompts.content import VersionContent
from apps.prompts.errors import InvalidContent, StaleParentError
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.rebasing import rebased
from apps.prompts.selectors import version_get
from apps.prompts.typed import read_typed, typed_of
from apps.workbench.drafts.documents import checked_typed

MAX_LABELS = 20


class CannotBeSaved(InvalidInput):
    """What was typed is no version yet; `fields` says where and why."""

    code = "invalid_prompt"
    title = "This cannot be saved yet"
    status = 422


class SomebodySavedMeanwhile(Conflict):
    """A newer version than the one that was edited is there. The answer has all that is needed to put the two
    together: {"theirs": {"number", "author", "is_own", "saved_at", "note", "typed"}, "base": {"number",
    "typed"} or null, "suggestion": typed, "conflicts": [places]}. `suggestion` has theirs where only they
    changed something, and mine where only I did or, named in `conflicts`, both."""

    code = "stale_parent"
    title = "Somebody saved a newer version"


def version_save(
    *, prompt: Prompt, by: Actor, typed: Any, note: str, parent: int | None, labels: Sequence[str]
) -> PromptVersion:
    """Save `typed` as the version after number `parent` (None: as the first), and point `labels` to it.

    One transaction: where a label may not be moved, nothing is saved. Raises CannotBeSaved with every bad
    place, NothingChanged, PromptArchived, LabelProtected, and SomebodySavedMeanwhile when `parent` is not the
    newest version.
    """
    raw = _content(typed)
    base = version_get(prompt=prompt, version=parent) if parent else None
    try:
        with transaction.atomic():
            version = services.prompt_version_create(
                prompt=prompt, by=by, commit_message=note, parent=base, **raw
            )
            for name in dict.fromkeys(labels):
                label_set(prompt=prompt, by=by, name=name, version=version, reason=version.commit_message)
    except InvalidContent as error:
        raise CannotBeSaved(error.detail, fields=error.fields, **error.extra) from error
    except StaleParentError as error:
        raise _meanwhile(error, by, raw) from error
    return version


def _content(typed: Any) -> dict[str, Any]:
    """`typed` as raw JSON for the services. Raises CannotBeSaved with all that is wrong."""
    raw, errors = read_typed(checked_typed(typed))
    try:
        services.checked_content(**raw)
    except InvalidContent as error:
        errors = error.fields | errors
    if errors:
        raise CannotBeSaved("Mend what is marked, then save again.", fields=errors)
    return raw


def _meanwhile(error: StaleParentError, by: Actor, raw: dict[str, Any]) -> SomebodySavedMeanwhile:
    ours, theirs = error.ours, error.theirs
    mine = services.checked_content(**raw)
    base = services.content_of(ours) if ours else VersionContent([])
    edit = rebased(base=base, mine=mine, theirs=services.content_of(theirs))
    is_own = (theirs.author_kind, theirs.author_id) == (by.kind, by.id)
    who = "You" if is_own else theirs.author_label or "Somebody"
    began = f"version {ours.number}" if ours else "nothing"
    return SomebodySavedMeanwhile(
        f"{who} saved version {theirs.number} meanwhile; you began from {began}. Nothing is lost: "
        "look at both side by side, choose piece by piece, then save.",
        theirs={
            "number": theirs.number,
            "author": theirs.author_label,
            "is_own": is_own,
            "saved_at": theirs.created_at.isoformat(),
            "note": theirs.commit_message,
            "typed": typed_of(theirs),
        },
        base={"number": ours.number, "typed": typed_of(ours)} if ours else None,
        suggestion=typed_of(edit.content),
        conflicts=list(edit.conflicts),
    )
