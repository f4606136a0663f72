"""Rendering for people and scripts who try a saved version out, and values typed as text."""

from __future__ import annotations

import json
import math
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
    """A list or an object when the text is one in JSON that can be stored; the text itself otherwise."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
            return value if _is_storable(value) else text
        except (ValueError, RecursionError):
            return text
    return text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _is_storable(value: Any) -> bool:
    """Whether its texts are free of NUL and of halves of surrogate pairs, which escapes can bring in."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\x00" in one or any("\ud800" <= character <= "\udfff" for character in one):
                return False
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return True
