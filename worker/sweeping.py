"""Calling every registered sweeper, one process at a time over all machines."""

from __future__ import annotations

import logging

from django.db import connection

from worker.registry import SWEEPERS

log = logging.getLogger(__name__)

#: Any constant will do; it must differ from other advisory locks of the product.
SWEEP_LOCK = 0x11A0_5EE9


def run_sweepers() -> list[str]:
    """Run all sweepers unless another process does; returns the names of those that finished.

    One that fails is logged and does not stop the others.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SWEEP_LOCK])
        if not cursor.fetchone()[0]:
            return []
        try:
            return [name for name in sorted(SWEEPERS) if _run(name)]
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [SWEEP_LOCK])


def _run(name: str) -> bool:
    try:
        SWEEPERS[name]()
    except Exception:
        log.exception("The sweep %s failed", name)
        return False
    return True
