"""The charts of a training, as plotly describes them. They name no colours: the page has those of its theme.

All charts of a job share their horizontal axis, from nothing to its last step, so that nothing is rescaled
while points come in; what somebody has zoomed into stays (`uirevision`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.training.watching.curves import Curve, Curves, smoothed, span_for, thinned
from apps.training.watching.explaining import Note

Figure = dict[str, Any]
_GIB = 1024**3
#: In a chart without a figure; the chart is there from the start, so that none pushes others away later.
_NOTHING_YET = {
    "text": "No figures yet",
    "xref": "paper",
    "yref": "paper",
    "x": 0.5,
    "y": 0.5,
    "showarrow": False,
    "opacity": 0.7,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A figure's curve in a chart: its name in the legend and the number of its colour."""

    figure: str
    label: str
    colour: int
    #: Drawn faint, with its moving average over it.
    smooth: bool = False
    #: Measured now and then: with a mark at each point.
    marks: bool = False


@dataclass(frozen=True, slots=True)
class ChartPlan:
    name: str
    title: str
    #: What the figure is, and which way is good: shown while the curve says nothing more.
    about: str
    lines: tuple[Line, ...]
    size: str = "s"
    tick_format: str = "~g"
    hover_format: str = ".4~g"
    scale: float = 1.0
    from_zero: bool = False
    methods: tuple[str, ...] = ("sft", "dpo", "kto")


PLANS = (
    ChartPlan(
        "loss",
        "Loss",
        "How far the model is from the answers. Lower is better; validation rows are not trained on.",
        (
            Line("loss", "Training", 1, smooth=True),
            Line("eval_loss", "Validation", 2, marks=True),
        ),
        size="m",
    ),
    ChartPlan(
        "rewards",
        "Rewards",
        "How much likelier an answer has become than it was for the base, times β. The margin should grow.",
        (
            Line("rewards/margins", "Margin", 1, smooth=True),
            Line("rewards/chosen", "Chosen", 3),
            Line("rewards/rejected", "Rejected", 2),
        ),
        size="m",
        methods=("dpo", "kto"),
    ),
    ChartPlan(
        "accuracy",
        "Pairs ordered as people did",
        "The part of pairs whose chosen answer has the higher reward. One half is chance.",
        (
            Line("rewards/accuracies", "Training", 1, smooth=True),
            Line("eval_rewards/accuracies", "Validation", 2, marks=True),
        ),
        size="m",
        tick_format=".0%",
        hover_format=".1%",
        methods=("dpo",),
    ),
    ChartPlan(
        "accuracy",
        "Tokens foreseen",
        "The part of the answers' tokens that the model would have chosen itself.",
        (
            Line("mean_token_accuracy", "Training", 1, smooth=True),
            Line("eval_mean_token_accuracy", "Validation", 2, marks=True),
        ),
        size="m",
        tick_format=".0%",
        hover_format=".1%",
        methods=("sft",),
    ),
    ChartPlan(
        "grad_norm",
        "Gradient norm",
        "How hard each step pulls at the weights. Steady is good; spikes are cut.",
        (Line("grad_norm", "Gradient norm", 1),),
        from_zero=True,
    ),
    ChartPlan(
        "learning_rate",
        "Learning rate",
        "How far each step goes: it warms up, then falls to nothing.",
        (Line("learning_rate", "Learning rate", 1),),
        tick_format=".1~e",
        hover_format=".2~e",
        from_zero=True,
    ),
    ChartPlan(
        "speed",
        "Tokens a second",
        "How fast rows are worked through.",
        (Line("tokens_per_second", "Tokens a second", 1),),
        tick_format="~s",
        hover_format=",.0f",
        from_zero=True,
    ),
    ChartPlan(
        "memory",
        "Memory, GiB",
        "What the training holds on its device.",
        (Line("memory_bytes", "Memory, GiB", 1),),
        hover_format=".2f",
        scale=1 / _GIB,
        from_zero=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as the page shows it."""

    name: str
    title: str
    about: str
    size: str
    figure: Figure
    #: In words, for those who do not see it.
    label: str
    notes: list[Note] = field(default_factory=list)


def charts_of(
    curves: Curves,
    notes: Sequence[Note],
    *,
    method: str,
    steps: int,
    revision: str,
    resumed: Sequence[int] = (),
    only_known: bool = False,
) -> list[Chart]:
    """The charts of a method; `resumed` are steps at which another worker went on.

    `only_known` leaves out charts without a figure: a provider that trains tells only some of them.
    """
    found = []
    for plan in PLANS:
        known = [line for line in plan.lines if len(curves.get(line.figure, Curve()))]
        if method not in plan.methods or (only_known and not known):
            continue
        found.append(
            Chart(
                name=plan.name,
                title=plan.title,
                about=plan.about,
                size=plan.size,
                figure=_figure(plan, curves, steps=steps, revision=revision, resumed=resumed),
                label=_label(plan, curves),
                notes=[note for note in notes if note.chart == plan.name],
            )
        )
    return found


def _figure(plan: ChartPlan, curves: Curves, *, steps: int, revision: str, resumed: Sequence[int]) -> Figure:
    traces: list[dict[str, Any]] = []
    for line in plan.lines:
        traces += _traces(plan, line, curves.get(line.figure) or Curve(), steps)
    several = len(plan.lines) > 1
    known = any(trace["x"] for trace in traces)
    return {
        "data": traces,
        "layout": {
            "uirevision": revision,
            "hovermode": "x unified",
            "showlegend": several,
            "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 1, "yanchor": "top"},
            "margin": {"l": 52, "r": 12, "t": 30 if several else 8, "b": 28},
            "annotations": [] if known else [_NOTHING_YET],
            "xaxis": {
                "range": [0, steps or 10],
                "showticklabels": steps > 0,
                "unifiedhovertitle": {"text": "Step %{x}"},
                "automargin": False,
                **({"dtick": 1} if steps < 6 else {"nticks": 6}),
                "tickformat": ",d",
                "hoverformat": ",d",
                "zeroline": False,
            },
            "yaxis": {
                "automargin": False,
                "tickformat": plan.tick_format,
                "nticks": 6,
                "rangemode": "tozero" if plan.from_zero else "normal",
                "showticklabels": known,
                **({} if known else {"range": [0, 1]}),
                "zeroline": plan.name == "rewards",
            },
            "shapes": [_mark(step) for step in resumed],
        },
    }


def _traces(plan: ChartPlan, line: Line, curve: Curve, steps: int) -> list[dict[str, Any]]:
    smooth = line.smooth and len(curve) >= 10
    shown = thinned(curve)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if line.marks or len(shown) == 1 else "lines",
        "name": line.label,
        "x": shown.steps,
        "y": _rounded(shown.values, plan.scale),
        "line": {"width": 1.5 if smooth else 2},
        "marker": {"size": 6},
        "meta": {"colour": line.colour},
        "hovertemplate": f"%{{y:{plan.hover_format}}}",
    }
    if not smooth:
        return [trace]
    return [
        {**trace, "opacity": 0.35, "showlegend": False, "name": f"{line.label}, each step"},
        {**trace, "y": _rounded(_averages(curve, shown, steps), plan.scale), "line": {"width": 2.5}},
    ]


def _averages(curve: Curve, shown: Curve, steps: int) -> list[float]:
    """The moving average of the whole curve, at the steps that are shown."""
    logged = round(len(curve) * max(1.0, steps / max(1, curve.steps[-1])), -1)
    by_step = dict(zip(curve.steps, smoothed(curve.values, span_for(logged)), strict=True))
    return [by_step[step] for step in shown.steps]


def _rounded(values: Sequence[float], scale: float) -> list[float]:
    return [float(f"{value * scale:.5g}") for value in values]


def _mark(step: int) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": step,
        "x1": step,
        "y0": 0,
        "y1": 1,
        "opacity": 0.5,
        "line": {"width": 1, "dash": "dot"},
    }


def _label(plan: ChartPlan, curves: Curves) -> str:
    parts = []
    for line in plan.lines:
        curve = curves.get(line.figure)
        if curve is not None and len(curve):
            first, last = (f"{value * plan.scale:.3g}" for value in (curve.values[0], curve.values[-1]))
            parts.append(
                f"{line.label.lower()} from {first} at step {curve.steps[0]} to {last} at {curve.steps[-1]}"
            )
    return f"{plan.title} by step: {'; '.join(parts)}." if parts else f"{plan.title} by step: no figures yet."
