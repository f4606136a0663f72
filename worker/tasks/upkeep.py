"""Tidying what has served its time."""

from __future__ import annotations

from apps.core.idempotency import forget_old_answers
from apps.evaluations.engine import response_cache
from worker.registry import sweeper


@sweeper("core.idempotency")
def forget_idempotency_keys() -> None:
    forget_old_answers()


@sweeper("evaluations.response_cache")
def forget_kept_responses() -> None:
    response_cache.forget_old()
