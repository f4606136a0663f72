"""Ids of spans: UUIDs of version 7, whose first 48 bits are the time in milliseconds since 1970."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

_VERSION, _VARIANT = 7 << 76, 2 << 62


def id_at(moment: datetime) -> UUID:
    """A new id that stands among the others where `moment` does."""
    random = secrets.randbits(12) << 64 | secrets.randbits(62)
    return UUID(int=_since_1970(moment) << 80 | _VERSION | _VARIANT | random)


def first_id_at(moment: datetime) -> UUID:
    """No id of `moment` or later comes before it."""
    return UUID(int=_since_1970(moment) << 80 | _VERSION | _VARIANT)


def _since_1970(moment: datetime) -> int:
    return min(max(0, int(moment.timestamp() * 1000)), (1 << 48) - 1)
