"""Figures of scores, as plotly describes them. They hold counts, not rows, so their size does not grow with a
run.

They name no colours: the page that draws a figure gives it those of its theme, light or dark.
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
        traces = [_bars(one.name, array, distinct) for one, array in zip(series, arrays, strict=True)]
    else:
        edges = _bin_edges(together, metric)
        traces = [_histogram(one.name, array, edges) for one, array in zip(series, arrays, strict=True)]
    return _figure(traces, title=f"{metric.title} ({metric.unit})" if metric.unit else metric.title)


def _bars(name: str, values: NDArray[np.float64], distinct: NDArray[np.float64]) -> dict[str, Any]:
    counts = [int((values == value).sum()) for value in distinct]
    return _trace(name, [f"{value:g}" for value in distinct], counts)


def _histogram(name: str, values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    import numpy as np

    counts, _ = np.histogram(values, bins=edges)
    centres = [float(centre) for centre in (edges[:-1] + edges[1:]) / 2]
    ranges = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    trace = _trace(name, centres, [int(count) for count in counts])
    trace["customdata"] = [[count, text] for (count,), text in zip(trace["customdata"], ranges, strict=True)]
    trace["hovertemplate"] = "%{customdata[1]}: %{customdata[0]:,} results (%{y:.1%})"
    return trace


def _trace(name: str, x: list[Any], counts: list[int]) -> dict[str, Any]:
    total = sum(counts) or 1
    return {
        "type": "bar",
        "name": name,
        "x": x,
        "y": [count / total for count in counts],
        "customdata": [[count] for count in counts],
        "hovertemplate": "%{x}: %{customdata[0]:,} results (%{y:.1%})",
    }


def _bin_edges(values: NDArray[np.float64], metric: MetricSpec) -> NDArray[np.float64]:
    """Equal bins over what occurs, 2n^(1/3) of them (Rice's rule) up to MAX_BINS."""
    import numpy as np

    if values.size == 0:
        return np.array(
            [metric.low if metric.low is not None else 0.0, metric.high if metric.high is not None else 1.0]
        )
    if float(values.min()) == float(values.max()):
        only = float(values[0])
        margin = max(0.05, abs(only) * 0.05)
        return np.array([only - margin, only + margin])
    bins = min(MAX_BINS, max(5, round(2 * values.size ** (1 / 3))))
    return np.linspace(float(values.min()), float(values.max()), bins + 1)


def _figure(traces: list[dict[str, Any]], *, title: str) -> Figure:
    several = len(traces) > 1
    category = bool(traces) and any(isinstance(x, str) for x in traces[0]["x"])
    return {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.4 if category else 0.05,
            "height": 240,
            "margin": {"l": 48, "r": 8, "t": 24 if several else 8, "b": 40},
            "showlegend": several,
            "legend": {"orientation": "h", "y": 1.15},
            "xaxis": {"title": {"text": title}, "type": "category" if category else "linear"},
            "yaxis": {
                "title": {"text": "Share"},
                "tickformat": ".0%",
                "rangemode": "tozero",
            },
        },
    }
