"""Panels that a worker makes figures for when they are opened: slices, distributions, preferences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from apps.evaluations.comparisons.cards import Card, Metric, card_of
from apps.evaluations.comparisons.charts import Bar, bars_figure, slices_figure
from apps.evaluations.comparisons.figures import SPLIT, FiguresState, columns_of, entry_for, figures_state
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import LONGEST, ComparisonState
from apps.evaluations.comparisons.words import is_share, unit_word
from apps.evaluations.models import EvalRun

#: Up to so many slices, the low figure has room for them.
FEW_SLICES = 4


@dataclass(frozen=True, slots=True)
class SliceLine:
    """The examples with one value of a column; `query` narrows the rows to them, "" where it cannot."""

    label: str
    n: int
    card: Card
    worse: bool
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A choice in a select of metadata columns."""

    name: str
    title: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A value or a bin: its label, and its ends as the address has them."""

    label: str
    low: str
    high: str
    centre: float | None = None


def column_choices(state: ComparisonState, chosen: str) -> list[Column]:
    """The metadata columns of the dataset, and its split where it has one."""
    return [Column(name, column_title(name), name == chosen) for name in columns_of(state.comparison)]


def column_title(name: str) -> str:
    return "Split" if name == SPLIT else name


def slices_panel(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    """The chosen metric in each slice of a column (the address's, else the first), the worse ones on top."""
    names = columns_of(state.comparison)
    column = state["slice"] if state["slice"] in names else next(iter(names), "")
    if not column or metric is None:
        return {"columns": [], "column": ""}
    part = figures_state(state.comparison, state.baseline, "slices", column)
    lines = _slice_lines(state, part, metric, column)
    points = [
        {
            "label": line.label,
            "n": line.n,
            "worse": line.worse,
            "query": line.query,
            **{name: line.card.metric[name] for name in ("difference", "ci_low", "ci_high")},
        }
        for line in lines
    ]
    return {
        "part": part,
        "columns": column_choices(state, column),
        "column": column,
        "column_title": column_title(column),
        "lines": lines,
        "worse": [line for line in lines if line.worse],
        "figure": slices_figure(points, metric) if points else None,
        "figure_size": "s" if len(points) <= FEW_SLICES else "m",
        "narrowed": bool(state["value"]),
        "whole_query": state.query(value=""),
    }


def _slice_lines(state: ComparisonState, part: FiguresState, metric: Metric, column: str) -> list[SliceLine]:
    entry = entry_for(part.figures, state.candidate) or {"metrics": []}
    same = (metric["name"], metric["source"])
    found = next((one for one in entry["metrics"] if (one["name"], one["source"]) == same), None)
    groups: list[dict[str, Any]] = found["groups"] if found else []
    ends = [group[name] for group in groups for name in ("ci_low", "ci_high", "difference")]
    reach = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
    lines = [_slice_line(state, metric, column, group, reach) for group in groups]
    return sorted(lines, key=lambda line: not line.worse)


def _slice_line(
    state: ComparisonState, metric: Metric, column: str, group: dict[str, Any], reach: float
) -> SliceLine:
    known = group["value"] is not None
    text = _as_text(group["value"])
    card = card_of({**metric, **group, "primary": False}, reach=reach)
    return SliceLine(
        label=(text or "(empty)") if known else "All others",
        n=group["n"],
        card=replace(card, tone="worse" if group.get("worse") else card.tone),
        worse=bool(group.get("worse")),
        query=state.query(slice=column, value=text, panel="slices")
        if known and 0 < len(text) <= LONGEST
        else "",
        chosen=bool(text) and state["slice"] == column and state["value"] == text,
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def distributions_panel(
    state: ComparisonState, figures: FiguresState, metric: Metric | None
) -> dict[str, Any]:
    """How the chosen metric's scores are spread in both runs, and how much each example changed."""
    part = figures_state(state.comparison, state.baseline, "distributions")
    if part.figures is None or metric is None:
        return {"part": part}
    same = (metric["name"], metric["source"])
    spread = next((one for one in part.figures["metrics"] if (one["name"], one["source"]) == same), None)
    changes = next(
        (
            one
            for one in part.figures["changes"]
            if one["run"] == str(state.candidate.pk) and (one["name"], one["source"]) == same
        ),
        None,
    )
    unit = f" ({metric['unit']})" if metric.get("unit") else ""
    context: dict[str, Any] = {"part": part}
    if spread is not None:
        series = _spread_series(state, metric, spread)
        context |= {"spread": series, "spread_figure": bars_figure(series, f"{metric['title']}{unit}")}
    if changes is not None and changes["counts"]:
        bars = _change_bars(state, metric, changes)
        title = f"Change of {metric['title']} ({unit_word(metric) or 'per example'})"
        context |= {
            "changes": bars,
            "changes_figure": bars_figure([("Change", bars)], title, unit="examples"),
        }
    return context


def _spread_series(
    state: ComparisonState, metric: Metric, spread: Mapping[str, Any]
) -> list[tuple[str, list[Bar]]]:
    counts = {one["run"]: one["counts"] for one in spread["runs"]}
    places = _places(spread)
    series = []
    for side, run in (("baseline", state.baseline), ("candidate", state.candidate)):
        found = counts.get(str(run.pk))
        if found is not None:
            bars = [
                _bar(state, metric, side, place, count) for place, count in zip(places, found, strict=True)
            ]
            series.append((run.name, bars))
    return series


def _change_bars(state: ComparisonState, metric: Metric, changes: Mapping[str, Any]) -> list[Bar]:
    factor = 100.0 if is_share(metric) else 1.0
    return [
        _bar(state, metric, "change", place, count)
        for place, count in zip(_places(changes, factor), changes["counts"], strict=True)
    ]


def _places(bins: Mapping[str, Any], factor: float = 1.0) -> list[Place]:
    """Each value, or each bin: from `low` up to below `high`; the outermost bins are open."""
    if bins.get("values"):
        return [Place(_short(value * factor), repr(value), repr(value)) for value in bins["values"]]
    pairs = list(pairwise(bins.get("edges") or []))
    return [
        Place(
            f"{_short(low * factor)} to {_short(high * factor)}",
            repr(low) if place else "",
            repr(high) if place < len(pairs) - 1 else "",
            (low + high) / 2 * factor,
        )
        for place, (low, high) in enumerate(pairs)
    ]


def _bar(state: ComparisonState, metric: Metric, side: str, place: Place, count: int) -> Bar:
    """A bar with the address of the rows whose values of that side lie in its place."""
    name, source = ("", "") if metric["primary"] else (metric["name"], metric["source"])
    query = state.query(metric=name, source=source, on=side, low=place.low, high=place.high)
    return Bar(place.label, count, query, place.centre)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def preferences_panel(state: ComparisonState, figures: FiguresState, metric: Metric | None) -> dict[str, Any]:
    """Who won, whom people and judges prefer over all, and whether what came first was preferred."""
    part = figures_state(state.comparison, state.baseline, "preferences")
    found = part.figures or {}
    names: dict[str, EvalRun] = {str(run.pk): run for run in runs_of(state.comparison)}
    sources: list[dict[str, Any]] = [
        {
            "title": title,
            "pairs": [
                {**pair, "run": names[pair["candidate"]]}
                for pair in found.get("pairs", [])
                if pair["source"] == source and pair["candidate"] in names
            ],
            "systems": sorted(
                (
                    {**system, "run": names[system["run"]]}
                    for system in (found.get("systems") or {}).get(source, [])
                    if system["run"] in names
                ),
                key=lambda system: -(system["strength"] or 0.0),
            ),
        }
        for source, title in (("human", "People"), ("judge", "Judges"))
    ]
    return {"part": part, "sources": [one for one in sources if one["pairs"] or one["systems"]]}
