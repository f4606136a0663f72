"""Reading drafts."""

from __future__ import annotations

from apps.core.models import User
from apps.prompts.models import Prompt
from apps.prompts.selectors import version_latest
from apps.prompts.typed import typed_of
from apps.workbench.drafts.documents import Document, fresh_document
from apps.workbench.models import Draft


def draft_get(*, prompt: Prompt, user: User) -> Draft | None:
    """What the person has kept for the prompt; a discarded one has an empty document."""
    return Draft.objects.filter(prompt=prompt, owner=user).first()


def draft_document(*, prompt: Prompt, user: User) -> tuple[Document, int]:
    """The person's draft with its revision; without one a fresh document of the newest version.

    The revision is 0 where nothing was ever kept.
    """
    draft = draft_get(prompt=prompt, user=user)
    newest = version_latest(prompt=prompt)
    if draft is None or draft.is_discarded:
        return fresh_document(newest), draft.revision if draft else 0
    document = draft.document
    first = document["columns"][0]
    if newest is not None and first["base"] != newest.number and first["typed"] == typed_of(newest):
        # Saved, and the page was gone before it could note so: this is no draft of an older version.
        first["base"] = newest.number
    return document, draft.revision
