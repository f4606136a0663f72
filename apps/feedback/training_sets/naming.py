"""Names of answers and pairs: what rows are called, the same at each making, so that versions compare.

"span:<id>", "result:<id>" or "item:<id>" (of a queue, where nothing else is kept) is one answer;
"pair:<two of these>" two. A correction adds "/" and a digest of its text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

SPAN, RESULT, ITEM = "span", "result", "item"
CORRECTION = "correction"
_FLIPPED = {"first": "second", "second": "first"}


@dataclass(frozen=True, slots=True)
class Ref:
    """One answer: what keeps it, and its id."""

    kind: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def pair_name(one: Ref, other: Ref) -> tuple[str, bool]:
    """The name of a pair, and whether the two stand in it the other way round."""
    low, high = sorted((str(one), str(other)))
    return f"pair:{low}:{high}", str(one) != low


def flipped(says: str, turned: bool) -> str:
    """A vote on a pair in the order of its name."""
    return _FLIPPED.get(says, says) if turned else says


def correction_name(ref: Ref, text: str) -> str:
    return f"{ref}/{digest(text)}"


def digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def refs_of(name: str) -> tuple[Ref, ...]:
    """The answers that a row is named after: one, or two of a pair."""
    parts = name.partition("/")[0].removeprefix("pair:").split(":")
    return tuple(Ref(kind, UUID(text)) for kind, text in zip(parts[::2], parts[1::2], strict=True))


def corrected(name: str) -> str:
    """The digest of the correction that a row is made from; "" for other rows."""
    return name.partition("/")[2]
