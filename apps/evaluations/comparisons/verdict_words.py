"""The parts of a verdict's sentence beside its amounts: sides, examples, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Over this share of examples without a score the sentence says that they could change the picture.
MUCH_MISSING = 0.2


def side(direction: str, *, up: bool) -> str:
    """The word for a change up or down: better or worse, or higher or lower where neither is better."""
    if direction not in ("higher", "lower"):
        return "higher" if up else "lower"
    return "better" if up == (direction == "higher") else "worse"


def examples(n: int) -> str:
    return "1 example" if n == 1 else f"{n:,} examples"


def missing(metric: Mapping[str, Any]) -> str:
    """What was left out, as a further sentence; "" where nothing was."""
    lacking, n = metric.get("missing") or 0, metric["n"]
    if not lacking:
        return ""
    verb, be = ("lacks", "is") if lacking == 1 else ("lack", "are")
    text = f" {examples(lacking)} {verb} a score on a side and {be} left out"
    much = lacking > MUCH_MISSING * (lacking + n)
    return f"{text}, which is enough to change the picture." if much else f"{text}."


def unpaired(count: int) -> str:
    """What is no pair, as a further sentence; "" where all is."""
    if not count:
        return ""
    return f" {examples(count)} {'is' if count == 1 else 'are'} not the same in both runs and not paired."
