"""Wait for a condition, never for luck."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from llmops_web.stack.errors import NotReadyInTime, ProgramFailed


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float,
    what: str,
    alive: Callable[[], bool] = lambda: True,
    log: Path | None = None,
    every: float = 0.05,
) -> None:
    """Raises ProgramFailed when it ended meanwhile, NotReadyInTime when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if not alive():
            raise ProgramFailed(f"Starting {what[0].lower()}{what[1:]}", last_words(log))
        if time.monotonic() > deadline:
            raise NotReadyInTime(what, seconds, f"See {log}" if log else "")
        time.sleep(every)


def last_words(log: Path | None) -> str:
    return log.read_text(errors="replace")[-2000:] if log and log.is_file() else ""
