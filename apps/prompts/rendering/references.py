"""How a prompt names another that it includes: "tone@production", "tone@3", or "tone" for the newest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .positions import Place

NEWEST = "latest"
_SLUG = r"[a-z0-9](?:[a-z0-9_-]{0,78}[a-z0-9])?"
_WHICH = r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?"
_REFERENCE = re.compile(rf"(?P<slug>{_SLUG})(?:@(?P<which>{_WHICH}))?", re.ASCII)
RULE = "name a prompt with its label or version, such as “tone@production” or “tone@3”"


@dataclass(frozen=True, slots=True)
class Reference:
    """`number` or `label` is set, or neither: the newest version."""

    slug: str
    label: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class IncludeTag:
    """An include in a text: the reference as it is written, and where that stands."""

    reference: str
    place: Place


def parse_reference(text: str) -> Reference | None:
    """What `text` names; None when it is no reference."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    slug, which = match["slug"], match["which"] or NEWEST
    if which == NEWEST:
        return Reference(slug)
    if which.isdigit():
        return Reference(slug, number=int(which)) if len(which) < 10 else None
    return Reference(slug, label=which)
