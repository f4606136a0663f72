"""What can go wrong with drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core.errors import Conflict

if TYPE_CHECKING:
    from apps.workbench.models import Draft


class DraftChangedElsewhere(Conflict):
    """Another page of the same person kept this draft meanwhile; it comes with the error, and stays kept."""

    code = "draft_changed_elsewhere"
    title = "The draft was changed elsewhere"

    def __init__(self, draft: Draft) -> None:
        super().__init__(
            "You changed this draft in another tab or on another machine meanwhile. "
            "Choose which one to go on with.",
            document=draft.document or None,
            revision=draft.revision,
            saved_at=draft.changed_at.isoformat(),
        )
