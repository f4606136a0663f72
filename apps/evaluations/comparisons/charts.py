"""Figures of a comparison, as plotly describes them: quality against cost, slices, distributions, changes.

A point or a bar that can be followed carries its address: the last entry of its `customdata` is a query
string, and `meta.follow` says so to the page (see `plot_controller.js`). They name no colours.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.evaluations.comparisons.words import amount, interval, is_share, mean, unit_word

Figure = dict[str, Any]
_FOLLOWED = {"follow": True}
#: Up to so many runs with names no longer than this, the plot names them.
FEW_RUNS, LONGEST_LABEL = 4, 20


@dataclass(frozen=True, slots=True)
class Spot:
    """A run in the plot of quality against cost: means with the quality's interval, and where it leads."""

    number: int
    name: str
    cost: float
    quality: float
    low: float | None
    high: float | None
    query: str


@dataclass(frozen=True, slots=True)
class Bar:
    """How many examples lie in one bin or have one value, and the address that shows them.

    `centre` is the middle of a bin, None for a value of its own.
    """

    label: str
    count: int
    query: str
    centre: float | None = None


def tradeoff_figure(spots: Sequence[Spot], metric: Mapping[str, Any], measure: Mapping[str, Any]) -> Figure:
    """One point a run: x what a call costs or takes on average, y the primary metric with its interval."""
    factor = 100.0 if is_share(metric) else 1.0
    y = [spot.quality * factor for spot in spots]
    spread = [
        [0.0 if end is None else abs(end - spot.quality) * factor for spot, end in pairs]
        for pairs in (
            [(spot, spot.high) for spot in spots],
            [(spot, spot.low) for spot in spots],
        )
    ]
    unit = "%" if is_share(metric) else unit_word(metric)
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [spot.cost for spot in spots],
        "y": y,
        "text": _labels(spots),
        "textposition": _beside([spot.cost for spot in spots]),
        "cliponaxis": False,
        "error_y": {"type": "data", "array": spread[0], "arrayminus": spread[1], "thickness": 1.2},
        "marker": {"size": 9},
        "customdata": [
            [
                _plain(f"#{spot.number} {spot.name}"),
                mean(metric, spot.quality),
                mean(measure, spot.cost),
                spot.query,
            ]
            for spot in spots
        ],
        "hovertemplate": "%{customdata[0]}: %{customdata[1]}, %{customdata[2]} a call<extra></extra>",
    }
    return {
        "data": [trace],
        "layout": {
            "margin": {"l": 48, "r": 24, "t": 20, "b": 40},
            "showlegend": False,
            "xaxis": {"title": {"text": measure["title"]}, **_ticks(measure)},
            "yaxis": {
                "title": {"text": _plain(f"{_cut(metric['title'], 14)}{f' ({unit})' if unit else ''}")}
            },
            "meta": _FOLLOWED,
        },
    }


def slices_figure(groups: Sequence[Mapping[str, Any]], metric: Mapping[str, Any]) -> Figure:
    """The difference in each slice with its interval; `groups` have label, difference, ends, query."""
    factor = 100.0 if is_share(metric) else 1.0
    shown = [group for group in groups if group["difference"] is not None][::-1]
    unit = unit_word(metric)
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [group["difference"] * factor for group in shown],
        "y": [_plain(group["label"]) for group in shown],
        "error_x": {
            "type": "data",
            "array": [_length(group, "ci_high") * factor for group in shown],
            "arrayminus": [_length(group, "ci_low") * factor for group in shown],
            "thickness": 1.4,
        },
        "marker": {
            "size": 9,
            "symbol": ["triangle-down" if group["worse"] else "circle" for group in shown],
        },
        "customdata": [
            [amount(metric, group["difference"]), _interval(metric, group), group["n"], group["query"]]
            for group in shown
        ],
        "hovertemplate": "%{y}: %{customdata[0]} %{customdata[1]}, n %{customdata[2]:,}<extra></extra>",
    }
    title = _plain(f"Change of {metric['title']}{f' ({unit})' if unit else ''}")
    return {
        "data": [trace],
        "layout": {
            "margin": {"l": 8, "r": 16, "t": 8, "b": 40},
            "showlegend": False,
            "xaxis": {"title": {"text": title}, "rangemode": "tozero", "zeroline": True, "zerolinewidth": 3},
            "yaxis": {"type": "category", "automargin": True, "dtick": 1},
            "meta": _FOLLOWED,
        },
    }


def bars_figure(series: Sequence[tuple[str, Sequence[Bar]]], title: str, *, unit: str = "results") -> Figure:
    """Shares by value or bin, the series side by side; each bar leads to its examples."""
    binned = all(bar.centre is not None for _, bars in series for bar in bars)
    traces = []
    for name, bars in series:
        total = sum(bar.count for bar in bars) or 1
        traces.append(
            {
                "type": "bar",
                "name": _plain(_cut(name, 40)),
                "x": [bar.centre if binned else _plain(bar.label) for bar in bars],
                "y": [bar.count / total for bar in bars],
                "customdata": [[_plain(bar.label), bar.count, bar.query] for bar in bars],
                "hovertemplate": f"%{{customdata[0]}}: %{{customdata[1]:,}} {unit} (%{{y:.1%}})",
            }
        )
    several = len(traces) > 1
    return {
        "data": traces,
        "layout": {
            "barmode": "group",
            "bargap": 0.05 if binned else 0.4,
            "margin": {"l": 48, "r": 24, "t": 28 if several else 8, "b": 40},  # a tick's label is as wide
            "showlegend": several,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
            "xaxis": {"title": {"text": _plain(title)}, "type": "linear" if binned else "category"},
            "yaxis": {"title": {"text": "Share"}, "tickformat": ".0%", "rangemode": "tozero"},
            "meta": _FOLLOWED,
        },
    }


def _labels(spots: Sequence[Spot]) -> list[str]:
    """Names where there is room for them, else the runs' numbers, as the table beside has them."""
    if len(spots) <= FEW_RUNS and all(len(spot.name) <= LONGEST_LABEL for spot in spots):
        return [_plain(spot.name) for spot in spots]
    return [f"#{spot.number}" for spot in spots]


def _plain(text: str) -> str:
    """Text that plotly draws as it is: it takes tags in labels for markup, links among them."""
    return html.escape(text, quote=False)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _beside(costs: Sequence[float]) -> list[str]:
    """Names stand right of the cheaper half's points and left of the others': inside the plot."""
    middle = (min(costs) + max(costs)) / 2
    return ["middle right" if cost <= middle else "middle left" for cost in costs]


def _ticks(measure: Mapping[str, Any]) -> dict[str, Any]:
    if measure["unit"] == "usd":
        return {"tickprefix": "$", "rangemode": "tozero", "nticks": 5}
    return {"ticksuffix": " ms", "rangemode": "tozero", "nticks": 5}


def _length(group: Mapping[str, Any], end: str) -> float:
    return 0.0 if group[end] is None else abs(group[end] - group["difference"])


def _interval(metric: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    if group["ci_low"] is None or group["ci_high"] is None:
        return ""
    return interval(metric, group["ci_low"], group["ci_high"])
