"""Rendering for people and scripts who try a saved version out, and values typed as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.prompts.errors import RenderFailed
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import RenderError, render_messages


def version_render(*, version: PromptVersion, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The version's messages with `inputs` filled in. Raises RenderFailed."""
    try:
        return render_messages(version.messages, inputs, includes=version.includes)
    except RenderError as error:
        raise RenderFailed.from_rendering(error) from error


def value_of(text: str) -> Any:
    """A list or an object when the text is one in JSON; the text itself otherwise."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
