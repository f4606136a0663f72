"""Locks that last as long as the transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

log = logging.getLogger(__name__)
P = ParamSpec("P")
Result = TypeVar("Result")
_TRIES = 4


def transaction_lock(name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it until ours ends."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def again_after_deadlock(work: Callable[P, Result]) -> Callable[P, Result]:
    """Do `work`, a transaction of its own, anew when the database ended it because another one and it waited
    for each other. Within a transaction it is done once, as that one is lost."""

    @wraps(work)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Result:
        for left in reversed(range(_TRIES)):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                lost = connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected)
                if lost or not left:
                    raise
                log.info("Done again after a deadlock: %s", work.__qualname__)
        raise AssertionError("not reached")

    return wrapped
