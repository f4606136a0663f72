"""What can go wrong with prompts, as the product tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.core.errors import Conflict, InvalidInput, NameTaken, NotFound, Refused
from apps.prompts.messages import MessageError
from apps.prompts.rendering import RenderError

if TYPE_CHECKING:
    from apps.prompts.models import PromptVersion


class PromptNotFound(NotFound):
    code = "prompt_not_found"


class VersionNotFound(NotFound):
    code = "prompt_version_not_found"


class PromptNameTaken(NameTaken):
    """Another prompt of the project that is in use has this name."""


class PromptSlugTaken(NameTaken):
    code = "slug_taken"


class PromptArchived(Conflict):
    code = "prompt_archived"
    title = "The prompt is archived"


class InvalidContent(InvalidInput):
    """Messages, parameters, tools or the response schema are not valid."""

    code = "invalid_prompt"

    @classmethod
    def from_parsing(cls, error: MessageError) -> InvalidContent:
        detail = "; ".join(error.sentences()[:3])
        return cls(detail, fields=error.fields)


class NothingChanged(Conflict):
    """The content is that of the newest version, so there is nothing to save."""

    code = "nothing_changed"
    title = "Nothing to save"


class StaleParentError(Conflict):
    """Someone saved a newer version than the one this save was based on.

    `ours` is the version the save was based on (None when it was thought to be the first), `theirs` the
    newest. Nothing was written.
    """

    code = "stale_parent"
    title = "Someone saved a newer version"

    def __init__(
        self,
        *,
        ours: PromptVersion | None,
        theirs: PromptVersion,
        content: dict[str, object],
    ) -> None:
        based = f"version {ours.number}" if ours else "no version"
        super().__init__(
            f"You edited {based}; since then {theirs.author_label or 'someone'} saved version "
            f"{theirs.number}. "
            f"Look at both, then save with parent {theirs.number}, or keep theirs.",
            ours={"parent": ours.number if ours else None, **content},
            theirs={
                "number": theirs.number,
                "author": theirs.author_label,
                "created_at": theirs.created_at.isoformat(),
                "commit_message": theirs.commit_message,
                "messages": theirs.messages,
                "parameters": theirs.parameters,
                "tools": theirs.tools,
                "response_schema": theirs.response_schema,
            },
        )
        self.ours = ours
        self.theirs = theirs


class LabelProtected(Refused):
    code = "label_protected"
    title = "The label is protected"


class RenderFailed(InvalidInput):
    """The messages could not be rendered with these inputs."""

    code = "render_failed"
    title = "The prompt could not be rendered"

    @classmethod
    def from_rendering(cls, error: RenderError) -> RenderFailed:
        return cls(
            f"{error}.",
            fields={error.field: [f"{error.reason}."]},
            reason=error.code,
            message_index=error.message_index,
            line=error.line,
            variable=error.variable,
        )
