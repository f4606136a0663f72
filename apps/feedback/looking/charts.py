"""Feedback over time, as plotly describes it. It names no colours: the page gives it those of its theme."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from apps.feedback.looking.figures import Series

Figure = dict[str, Any]


def over_time_figure(series: Sequence[Series], *, weekly: bool) -> Figure:
    """Share of thumbs up by day or week, a line for each series, with intervals."""
    return {
        "data": [_trace(one, shift=index) for index, one in enumerate(series)],
        "layout": {
            "height": 280,
            "margin": {"l": 56, "r": 16, "t": 28 if len(series) > 1 else 12, "b": 40},
            "showlegend": len(series) > 1,
            "legend": {"orientation": "h", "y": 1.15},
            "xaxis": _days_axis(series, weekly=weekly),
            "yaxis": {"title": {"text": "Thumbs up"}, "tickformat": ".0%", "range": [0, 1.02]},
        },
    }


#: So few days are all written below the axis; of more, plotly chooses some.
_MOST_DAYS_WRITTEN = 10


def _days_axis(series: Sequence[Series], *, weekly: bool) -> dict[str, Any]:
    """An axis of whole days: left to itself plotly writes milliseconds under the only day there is."""
    axis: dict[str, Any] = {"type": "date", "title": {"text": "Week from" if weekly else "Day"}}
    days = sorted({point.day for one in series for point in one.points})
    if not days:
        return axis
    beside = timedelta(days=7 if weekly else 1)
    axis["range"] = [f"{(days[0] - beside).isoformat()}T12:00", f"{(days[-1] + beside).isoformat()}T12:00"]
    if len(days) <= _MOST_DAYS_WRITTEN:
        axis["tickvals"] = [f"{day.isoformat()}T12:00" for day in days]
        axis["tickformat"] = "%-d %b %Y"
    return axis


#: Series are drawn a little beside each other, so that their intervals can be told apart.
_SHIFT_HOURS = 2


def _trace(series: Series, *, shift: int) -> dict[str, Any]:
    values = [point.share.value or 0.0 for point in series.points]
    ends = [point.share.ends or (0.0, 0.0) for point in series.points]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": series.name,
        "x": [f"{point.day.isoformat()}T{12 + shift * _SHIFT_HOURS:02d}:00" for point in series.points],
        "y": values,
        "error_y": {
            "type": "data",
            "array": [high - value for value, (_, high) in zip(values, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, ends, strict=True)],
            "thickness": 1.2,
            "width": 3,
        },
        "marker": {"size": 7},
        "customdata": [
            [point.day.isoformat(), point.share.in_words(), point.share.n] for point in series.points
        ],
        "hovertemplate": "%{customdata[0]}: %{customdata[1]}, n %{customdata[2]:,}<extra></extra>",
    }


def over_time_in_words(series: Sequence[Series]) -> str:
    """What the figure shows, for those who do not see it."""
    told = []
    for one in series:
        if one.points:
            first, last = one.points[0], one.points[-1]
            told.append(
                f"{one.name}: {first.share.in_words()} on {first.day.isoformat()}, "
                f"{last.share.in_words()} on {last.day.isoformat()}"
            )
    return "Share of thumbs up over time with 95% intervals. " + (". ".join(told) or "No thumbs yet")
