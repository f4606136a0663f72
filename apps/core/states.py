"""The statuses that rows can have, in words, with the tone and the icon they are shown in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    label: str
    tone: str  # neutral, busy, good, warn or bad: a class of the stylesheet
    icon: str


_STATES = {
    "pending": State("Pending", "neutral", "clock"),
    "queued": State("Queued", "neutral", "clock"),
    "draft": State("Draft", "neutral", "pencil"),
    "archived": State("Archived", "neutral", "archive"),
    "cancelled": State("Cancelled", "neutral", "ban"),
    "skipped": State("Skipped", "neutral", "player-skip-forward"),
    "expired": State("Expired", "neutral", "clock-off"),
    "running": State("Running", "busy", "loader-2"),
    "scoring": State("Scoring", "busy", "loader-2"),
    "finalising": State("Finalising", "busy", "loader-2"),
    "importing": State("Importing", "busy", "loader-2"),
    "stopping": State("Stopping", "busy", "loader-2"),
    "registering": State("Registering", "busy", "loader-2"),
    "stopped": State("Stopped, kept", "good", "player-stop"),
    "pruned": State("Stopped early", "neutral", "scissors"),
    "completed": State("Completed", "good", "check"),
    "done": State("Done", "good", "check"),
    "ok": State("Works", "good", "check"),
    "active": State("Active", "good", "check"),
    "ready": State("Ready", "good", "check"),
    "deleted": State("Deleted", "neutral", "trash"),
    "published": State("Published", "good", "check"),
    "open": State("Open", "neutral", "point"),
    "claimed": State("In hand", "busy", "pencil"),
    "submitted": State("Submitted", "good", "check"),
    "settled": State("Settled", "good", "gavel"),
    "disputed": State("Disputed", "warn", "scale"),
    "conflict": State("Knows this one", "warn", "eye-off"),
    "surplus": State("One too many", "neutral", "copy"),
    "gold": State("Gold", "neutral", "star"),
    "passed": State("Passed", "good", "check"),
    "undecided": State("Not decided", "warn", "scale"),
    "not measured": State("Not measured", "neutral", "ruler-off"),
    "measuring": State("Being measured", "busy", "loader-2"),
    "measured": State("Measured", "neutral", "ruler"),
    "paused": State("Paused", "warn", "player-pause"),
    "partial": State("Partial", "warn", "alert-triangle"),
    "stale": State("Out of date", "warn", "alert-triangle"),
    "failed": State("Failed", "bad", "x"),
    "error": State("Error", "bad", "x"),
    "revoked": State("Revoked", "bad", "ban"),
}


def state_of(status: str) -> State:
    """The way a status is shown; one that is not listed reads as its own name, in a neutral tone."""
    known = _STATES.get(status.lower())
    return known or State(status.replace("_", " ").capitalize() or "Unknown", "neutral", "point")
