"""Figures of steps as curves: read from points, thinned to what a chart can show, smoothed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: A chart is some hundred pixels wide: more points than this are not seen.
MOST_POINTS = 400


@dataclass(slots=True)
class Curve:
    """One figure by step, in order. `broken` are the steps at which it was no finite number."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.values)

    def add(self, step: int, value: float | None) -> None:
        if value is None:
            self.broken.append(step)
        else:
            self.steps.append(step)
            self.values.append(value)


Curves = Mapping[str, Curve]


def curves_of(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[str, Curve]:
    """The curve of each figure, from (step, figures by name) in the order of steps.

    A figure that is null, or not finite, or its name as text ("NaN"), breaks the curve there.
    """
    found: dict[str, Curve] = {}
    for step, values in rows:
        for name, value in values.items():
            if name not in found:
                found[name] = Curve()
            found[name].add(step, _finite(value))
    return found


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def thinned(curve: Curve, most: int = MOST_POINTS) -> Curve:
    """The curve with at most about `most` points: of each stretch the lowest and the highest stay.

    So a spike of one step is still seen. The first and the last point always stay.
    """
    size = len(curve)
    if size <= most:
        return curve
    kept = {0, size - 1}
    stretch = size / (most / 2)
    start = 0.0
    while start < size:
        places = range(int(start), min(size, int(start + stretch) or 1))
        if places:
            kept.add(min(places, key=curve.values.__getitem__))
            kept.add(max(places, key=curve.values.__getitem__))
        start += stretch
    order = sorted(kept)
    return Curve([curve.steps[place] for place in order], [curve.values[place] for place in order])


def smoothed(values: Sequence[float], span: float) -> list[float]:
    """The exponential moving average over about `span` points, corrected at its start.

    It looks only backwards, so that what is drawn already does not move when more comes.
    """
    keep = 1 - 2 / (max(1.0, span) + 1)
    sum_, weight, found = 0.0, 0.0, []
    for value in values:
        sum_ = keep * sum_ + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        found.append(sum_ / weight)
    return found


def span_for(logged: float) -> float:
    """Over how many points to smooth a curve that will have `logged` of them in the end."""
    return max(5.0, logged / 20)
