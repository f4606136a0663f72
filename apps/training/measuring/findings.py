"""What was found of a policy's conditions, in words and figures that can be kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.evaluations.comparisons import words

Stored = Mapping[str, Any]
"""One metric of a comparison's figures, or one slice of it, as it is stored."""
#: "skipped": there was nothing that the condition could be held against.
Answer = Literal["passed", "failed", "undecided", "skipped"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a project asks. `must_beat` as ModelPolicy.MustBeat; `most_lost_on_slice` in points (hundredths of
    the metric's scale), None where slices are not looked at; with `slices_shown` a slice passes only when its
    interval excludes a larger loss, else when no larger loss was measured.
    """

    must_beat: str = "clearly"
    most_lost_on_slice: float | None = 2.0
    least_slice_rows: int = 20
    slices_shown: bool = False

    @property
    def asks_nothing(self) -> bool:
        return self.must_beat == "no" and self.most_lost_on_slice is None


@dataclass(frozen=True, slots=True)
class SliceFound:
    """A slice that a version lost on, or may have: `answer` is what that one slice says.

    `query` narrows the comparison's page to it; "" where it has no value of its own.
    """

    column: str
    value: str
    n: int
    change: str
    answer: Answer
    query: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition of a policy, what was found of it, and the slices worth a look, worst first."""

    condition: str
    answer: Answer
    text: str
    slices: tuple[SliceFound, ...] = ()


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better the version is, in the metric's unit: the difference turned so that up is better."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, figures: Stored, direction: str) -> Gain | None:
        """None where nothing was measured on both sides."""
        value, low, high = figures["difference"], figures["ci_low"], figures["ci_high"]
        if value is None or not figures["n"]:
            return None
        if direction != "lower":
            return cls(value, low, high)
        return cls(-value, None if high is None else -high, None if low is None else -low)


def rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"


def change(figures: Stored, metric: Stored) -> str:
    """A difference with its interval as the comparison's page has it: "+4.3 points [+1.5, +7.1]"."""
    read = {**figures, **{name: metric.get(name) for name in ("scale", "unit", "level")}}
    return words.difference(read)
