"""Locks that last as long as the transaction."""

from __future__ import annotations

import hashlib

from django.db import connection


def transaction_lock(name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it until ours ends."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
