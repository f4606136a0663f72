"""Reading drafts."""

from __future__ import annotations

from typing import Any, Final

from apps.core.models import User
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import version_history, version_latest
from apps.prompts.typed import typed_of
from apps.workbench.drafts.documents import Document, fresh_document
from apps.workbench.models import Draft

#: What `draft_as_json` gives of somebody who keeps no drafts.
NOTHING_KEPT: Final[dict[str, Any]] = {"document": None, "revision": 0, "saved_at": None, "latest": None}


def draft_get(*, prompt: Prompt, user: User) -> Draft | None:
    """What the person has kept for the prompt; a discarded one has an empty document."""
    return Draft.objects.filter(prompt=prompt, owner=user).first()


def draft_as_json(*, prompt: Prompt, user: User) -> dict[str, Any]:
    """{"document", "revision", "saved_at" (None: nothing is kept), "latest": {"number", "author", "saved_at",
    "note"} or None}: the draft, else a fresh document, and the newest version that it may be older than.

    The revision is 0 where nothing was ever kept.
    """
    draft, newest = draft_get(prompt=prompt, user=user), version_latest(prompt=prompt)
    is_kept = draft is not None and not draft.is_discarded
    document = draft.document if draft and is_kept else fresh_document(newest)
    if is_kept and newest is not None:
        _follow(document, prompt, newest)
    return {
        "document": document,
        "revision": draft.revision if draft else 0,
        "saved_at": draft.changed_at.isoformat() if draft and is_kept else None,
        "latest": newest and _as_json(newest),
    }


def _follow(document: Document, prompt: Prompt, newest: PromptVersion) -> None:
    """A draft in which nothing was changed is no draft of an older version: it moves on to the newest.

    Nor is one that was saved, when the page was gone before it could note so. A version that was opened on
    purpose to be saved on top of another (its column says "parent") stays.
    """
    first = document["columns"][0]
    typed = typed_of(newest)
    if first["typed"] == typed:
        first["base"] = newest.number
        first.pop("parent", None)
    elif first["base"] is not None and first["base"] != newest.number and not first.get("parent"):
        base = prompt.versions.filter(number=first["base"]).first()
        if base is not None and first["typed"] == typed_of(base):
            first |= {"base": newest.number, "typed": typed}


def latest_as_json(*, prompt: Prompt) -> dict[str, Any] | None:
    """The newest version as `draft_as_json` tells it, without reading its contents."""
    newest = version_history(prompt=prompt).prefetch_related(None).first()
    return _as_json(newest) if newest else None


def _as_json(version: PromptVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "author": version.author_label,
        "saved_at": version.created_at.isoformat(),
        "note": version.commit_message,
    }
