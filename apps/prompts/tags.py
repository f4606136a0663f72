"""Words that prompts are found by, several to a prompt."""

from __future__ import annotations

from collections.abc import Iterable

from apps.core.errors import InvalidInput

MAX_TAGS = 20
MAX_TAG_CHARS = 60
_RULE = f"A prompt has at most {MAX_TAGS} tags of 1 to {MAX_TAG_CHARS} characters, without commas."


def clean_tags(tags: Iterable[str]) -> list[str]:
    """`tags` with blanks put in order, each once whatever its case. Raises InvalidInput."""
    found: dict[str, str] = {}
    for tag in tags:
        words = " ".join(tag.replace("\x00", "").split())
        if words:
            found.setdefault(words.casefold(), words)
    cleaned = list(found.values())
    if len(cleaned) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARS or "," in tag for tag in cleaned):
        raise InvalidInput(_RULE, fields={"tags": [_RULE]})
    return cleaned


def split_tags(text: str) -> list[str]:
    """What was typed into one line: tags between commas."""
    return [part for piece in text.split(",") if (part := piece.strip())]
