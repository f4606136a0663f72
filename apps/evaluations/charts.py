"""Figures of scores, as plotly describes them. They hold counts, not rows, so their size does not grow with a
run.

Colours and grid lines are chosen to read on a light and on a dark page; text colour is left to the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .evaluators import MetricSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SERIES_COLOURS = ("#4299e1", "#f59f00")
GRID = "rgba(128, 139, 154, 0.25)"
TEXT = "#7d8899"
MAX_BINS = 30
MAX_DISTINCT = 12

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """One run's values of a metric, and the name it goes by in the legend."""

    name: str
    values: Sequence[float]


def distribution(metric: MetricSpec, series: Sequence[Series]) -> Figure:
    """How a metric's scores are spread, for one run or two, as shares of each run's scored results.

    Few distinct values (binary, ordinal) give one bar each; others a histogram with bins common to all
    series.
    """
    import numpy as np

    arrays = [np.asarray(one.values, dtype=float) for one in series]
    arrays = [array[np.isfinite(array)] for array in arrays]
    together = np.concatenate(arrays) if arrays else np.array([])
    distinct = np.array([0.0, 1.0]) if metric.scale == "binary" else np.unique(together)
    if metric.scale != "continuous" and distinct.size <= MAX_DISTINCT:
        traces = [
            _bars(one.name, array, distinct, place)
            for place, (one, array) in enumerate(zip(series, arrays, strict=True))
        ]
    else:
        edges = _bin_edges(together, metric)
        traces = [
            _histogram(one.name, array, edges, place)
            for place, (one, array) in enumerate(zip(series, arrays, strict=True))
        ]
    return _figure(traces, title=f"{metric.title} ({metric.unit})" if metric.unit else metric.title)


def _bars(
    name: str, values: NDArray[np.float64], distinct: NDArray[np.float64], place: int
) -> dict[str, Any]:
    counts = [int((values == value).sum()) for value in distinct]
    return _trace(name, [f"{value:g}" for value in distinct], counts, place)


def _histogram(
    name: str, values: NDArray[np.float64], edges: NDArray[np.float64], place: int
) -> dict[str, Any]:
    import numpy as np

    counts, _ = np.histogram(values, bins=edges)
    centres = [float(centre) for centre in (edges[:-1] + edges[1:]) / 2]
    ranges = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    trace = _trace(name, centres, [int(count) for count in counts], place)
    trace["customdata"] = [[count, text] for (count,), text in zip(trace["customdata"], ranges, strict=True)]
    trace["hovertemplate"] = "%{customdata[1]}: %{customdata[0]:,} results (%{y:.1%})"
    return trace


def _trace(name: str, x: list[Any], counts: list[int], place: int) -> dict[str, Any]:
    total = sum(counts) or 1
    return {
        "type": "bar",
        "name": name,
        "x": x,
        "y": [count / total for count in counts],
        "customdata": [[count] for count in counts],
        "hovertemplate": "%{x}: %{customdata[0]:,} results (%{y:.1%})",
        "marker": {"color": SERIES_COLOURS[place % len(SERIES_COLOURS)]},
    }


def _bin_edges(values: NDArray[np.float64], metric: MetricSpec) -> NDArray[np.float64]:
    """Bins over what occurs, within the metric's bounds, by numpy's "auto" rule up to MAX_BINS."""
    import numpy as np

    if values.size == 0:
        return np.array(
            [metric.low if metric.low is not None else 0.0, metric.high if metric.high is not None else 1.0]
        )
    if float(values.min()) == float(values.max()):
        only = float(values[0])
        margin = max(0.05, abs(only) * 0.05)
        return np.array([only - margin, only + margin])
    low, high = float(values.min()), float(values.max())
    edges = (
        np.histogram_bin_edges(values, bins="auto", range=(low, high))
        if values.size < 100_000
        else np.array([])
    )
    return edges if 1 < edges.size <= MAX_BINS + 1 else np.linspace(low, high, MAX_BINS + 1)


def _figure(traces: list[dict[str, Any]], *, title: str) -> Figure:
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "automargin": True}
    several = len(traces) > 1
    category = bool(traces) and any(isinstance(x, str) for x in traces[0]["x"])
    return {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.4 if category else 0.05,
            "height": 240,
            "margin": {"l": 48, "r": 8, "t": 24 if several else 8, "b": 40},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": TEXT},
            "showlegend": several,
            "legend": {"orientation": "h", "y": 1.15},
            "xaxis": {**axis, "title": {"text": title}, "type": "category" if category else "linear"},
            "yaxis": {
                **axis,
                "title": {"text": "Share of results"},
                "tickformat": ".0%",
                "rangemode": "tozero",
            },
        },
    }
