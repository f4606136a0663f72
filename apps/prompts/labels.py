"""The names labels may have."""

from __future__ import annotations

import re

from apps.core.errors import InvalidInput

LABEL_RE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?", re.ASCII)
RESERVED = "latest"
_RULE = "Use lower-case letters, digits, - _ and ., at most 60, such as production."


def clean_label(name: str) -> str:
    """`name` as a label. Raises InvalidInput when it cannot be one."""
    name = name.strip()
    if name == RESERVED:
        raise InvalidInput(
            "“latest” always means the newest version and cannot be set.",
            fields={"label": ["“latest” always means the newest version."]},
        )
    if not LABEL_RE.fullmatch(name) or name.isdigit():
        raise InvalidInput(f"{name!r} cannot be a label. {_RULE}", fields={"label": [_RULE]})
    return name
