"""Answers of the database that are long in coming and do not change, kept for those who ask next."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.db import connection

log = logging.getLogger(__name__)

KEPT_S = 24 * 3600
Answer = list[tuple[Any, ...]]


def kept_answer(statement: str, params: Mapping[str, Any], *, state: str) -> Answer:
    """All rows that the statement finds. `state` says what they are made of; with "" nothing is kept.

    The cache may be away or empty: the database is asked then.
    """
    key = _key(statement, params, state) if state else ""
    found = _from_cache(key) if key else None
    if found is not None:
        return found
    with connection.cursor() as db:
        db.execute(statement, params)
        answer: Answer = db.fetchall()
    if key:
        _to_cache(key, answer)
    return answer


def _key(statement: str, params: Mapping[str, Any], state: str) -> str:
    text = "\x1f".join([state, statement, *(f"{name}={value!r}" for name, value in sorted(params.items()))])
    return f"kept-answer:{hashlib.sha256(text.encode()).hexdigest()}"


def _from_cache(key: str) -> Answer | None:
    try:
        found: Answer | None = cache.get(key)
    except Exception as error:  # whatever the cache's client raises
        log.warning("A kept answer could not be read: %s", error)
        return None
    return found


def _to_cache(key: str, answer: Answer) -> None:
    try:
        cache.set(key, answer, KEPT_S)
    except Exception as error:
        log.warning("An answer could not be kept: %s", error)
