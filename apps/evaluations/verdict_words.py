"""The parts of a verdict's sentence: amounts with their unit, intervals, examples, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core import figures

#: Over this share of unpaired examples the sentence says that the missing ones could change the picture.
MUCH_MISSING = 0.2
#: What a sum of floats may be off zero by.
ROUNDING = 1e-9


def amount(metric: Mapping[str, Any]) -> str:
    """The difference with sign and unit."""
    return _with_unit(signed(metric["difference"]), metric)


def size(metric: Mapping[str, Any], value: float) -> str:
    """How large `value` is, whichever way it goes, with the metric's unit."""
    return _with_unit(signed(abs(value)).removeprefix("+"), metric)


def interval(metric: Mapping[str, Any], between: str) -> str:
    """Both ends of the interval, with signs."""
    return f"{signed(metric['ci_low'])}{between}{signed(metric['ci_high'])}"


def signed(value: float) -> str:
    """As on the page; but what is not zero never reads as zero: the sentence hangs on its side."""
    text = figures.signed(value)
    return text if abs(value) < ROUNDING or text != figures.signed(0.0) else _short(value)


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


def _short(value: float) -> str:
    """One significant figure without an exponent: +0.0004."""
    places = next(places for places in range(4, 12) if round(abs(value), places) > 0)
    return f"{value:+.{places}f}".replace("-", "\N{MINUS SIGN}")


def _with_unit(text: str, metric: Mapping[str, Any]) -> str:
    return f"{text} {metric['unit']}" if metric.get("unit") else text
