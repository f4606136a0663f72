"""Tidying what has served its time."""

from __future__ import annotations

from apps.core.idempotency import forget_old_answers
from worker.registry import sweeper


@sweeper("core.idempotency")
def forget_idempotency_keys() -> None:
    forget_old_answers()
