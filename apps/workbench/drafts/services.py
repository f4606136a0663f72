"""Keeping and discarding drafts. They are a person's own and change at each pause of the typing, so that no
audit row is written: what counts is audited when it is saved as a version."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core.locks import transaction_lock
from apps.core.models import User
from apps.prompts.errors import PromptArchived
from apps.prompts.models import Prompt
from apps.workbench.drafts.documents import checked_document
from apps.workbench.drafts.errors import DraftChangedElsewhere
from apps.workbench.drafts.selectors import draft_get
from apps.workbench.models import Draft


def draft_keep(
    *,
    prompt: Prompt,
    owner: User,
    document: Any,
    revision: int,
    page: UUID | None = None,
    turn: int = 0,
    follows: UUID | None = None,
) -> Draft:
    """Keep `document` as the person's draft in place of the one of `revision` (0: there was none).

    `page` is the loaded page that sends it and `turn` counts what that page sends. A page does not conflict
    with itself: an answer that got lost on the way does no harm, and what comes late does not undo what was
    sent after it. Nor does it conflict with the page that it `follows`: the browser handed on what was typed
    there last, and what that page sent as it was left may be kept only after this one was loaded.
    Raises InvalidInput, TooLarge, PromptArchived, and DraftChangedElsewhere when another page of the person
    kept something else meanwhile.
    """
    checked = checked_document(document)
    if prompt.archived_at:
        raise PromptArchived(
            f"“{prompt.name}” is archived, so its drafts are kept as they are. Restore it to go on."
        )
    with transaction.atomic():
        draft = _locked(prompt, owner)
        is_same_page = page is not None and draft.page == page
        if is_same_page and turn and turn <= draft.turn:
            return draft
        is_handed_on = follows is not None and draft.page == follows
        if draft.revision != revision and not (is_same_page or is_handed_on) and draft.document != checked:
            raise DraftChangedElsewhere(draft)
        return _write(draft, document=checked, page=page, turn=turn)


def draft_discard(*, prompt: Prompt, owner: User) -> Draft:
    """Forget what was typed. The row stays with the next revision, so that another page that still holds the
    draft hears of it instead of bringing it back unseen."""
    with transaction.atomic():
        draft = _locked(prompt, owner)
        return _write(draft, document={}, page=None, turn=0) if draft.revision else draft


def _locked(prompt: Prompt, owner: User) -> Draft:
    """The draft, or a new one that is not written yet; the person's pages take turns."""
    transaction_lock(f"draft of {owner.pk} of {prompt.pk}")
    return draft_get(prompt=prompt, user=owner) or Draft(
        project_id=prompt.project_id, prompt=prompt, owner=owner, document={}, revision=0
    )


def _write(draft: Draft, *, document: dict[str, Any], page: UUID | None, turn: int) -> Draft:
    draft.document, draft.page, draft.turn = document, page, turn
    draft.revision += 1
    draft.save()
    return draft
