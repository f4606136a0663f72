"""Figures that a worker makes and that are kept until what they were made of changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.feedback.models.agreement import KeptFigures

log = logging.getLogger(__name__)

#: A worker is asked again when none has come for this long; what could not be made is tried again later.
ASK_AGAIN = timedelta(seconds=60)
TRY_AGAIN = timedelta(minutes=10)
LONGEST_ERROR = 2_000


@dataclass(frozen=True, slots=True)
class FiguresState:
    """Figures as they stand. `waiting`: a worker was asked for them; `stale`: these are of an older state."""

    figures: dict[str, Any] | None
    error: str
    waiting: bool
    stale: bool


def figures_state(kept: KeptFigures | None, made_of: str) -> FiguresState:
    """What is there for the state `made_of`; where it says `waiting`, somebody has to ask."""
    if kept is not None and kept.made_of == made_of:
        late = kept.made_at is None or kept.made_at < timezone.now() - TRY_AGAIN
        if not kept.error or not late:
            return FiguresState(kept.figures, kept.error, waiting=False, stale=False)
    figures = kept.figures if kept else None
    return FiguresState(figures, "", waiting=True, stale=figures is not None)


def figures_ask(kept: QuerySet[Any], task: str, **kwargs: Any) -> None:
    """Have a worker make the one row of `kept`; once, and again only when nobody has come for a minute."""
    now = timezone.now()
    unasked = Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)
    if kept.filter(unasked).update(asked_at=now):
        enqueue(task, queue="default", **kwargs)


def figures_keep(kept: KeptFigures, made_of: str, make: Callable[[], dict[str, Any]]) -> None:
    """Make the figures and keep them, or why they could not be made."""
    try:
        figures: dict[str, Any] | None = make()
        json.dumps(figures, allow_nan=False)  # the database keeps no infinities, and would refuse for ever
        error = ""
    except Exception as exc:
        log.exception("%s could not be computed", kept)
        reason = f"{type(exc).__name__}: {exc}".replace("\x00", "")[:LONGEST_ERROR]
        figures, error = None, f"The statistics could not be computed: {reason}"
    kept.figures, kept.error, kept.made_of = figures, error, made_of
    kept.made_at, kept.asked_at = timezone.now(), None
    kept.save()
