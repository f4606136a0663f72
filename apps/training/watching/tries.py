"""The tries of a sweep: which is best so far, and their chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.training.models import Trial
from apps.training.planning.catalogue import BY_NAME
from apps.training.planning.sweeps import OBJECTIVES
from apps.training.watching.charts import Figure
from apps.training.watching.facts import setting_words


@dataclass(frozen=True, slots=True)
class ShownTrial:
    trial: Trial
    #: "Learning rate 0.0002, LoRA rank 16".
    chosen: str


def shown_trials(trials: Sequence[Trial]) -> list[ShownTrial]:
    return [ShownTrial(trial, chosen_words(trial.chosen)) for trial in trials]


def chosen_words(chosen: Mapping[str, Any]) -> str:
    """Settings with their values, as their form calls them."""
    known = {name: BY_NAME.get(name) for name in chosen}
    return ", ".join(
        f"{setting.label if setting else name} {setting_words(setting, chosen[name])}"
        for name, setting in known.items()
    )


def is_maximized(sweep: Mapping[str, Any]) -> bool:
    """Rewards are to be high, losses low."""
    return str(sweep.get("objective", "")).startswith("rewards/")


def best_trial(trials: Sequence[Trial], sweep: Mapping[str, Any]) -> int | None:
    """The number of the best completed try; None before there is one."""
    measured = [trial for trial in trials if trial.value is not None and trial.state == Trial.State.COMPLETED]
    if not measured:
        return None
    sign = -1 if is_maximized(sweep) else 1
    return min(measured, key=lambda trial: sign * (trial.value or 0.0)).number


def objective_words(sweep: Mapping[str, Any]) -> str:
    return OBJECTIVES.get(str(sweep.get("objective")), "")


def trials_chart(trials: Sequence[Trial], sweep: Mapping[str, Any], *, revision: str) -> Figure:
    """What each try of a sweep came to, and the best so far."""
    measured = [trial for trial in trials if trial.value is not None]
    better = max if is_maximized(sweep) else min
    best: list[float] = []
    for trial in measured:
        assert trial.value is not None
        best.append(better(best[-1], trial.value) if best else trial.value)
    numbers = [trial.number for trial in measured]
    words = [chosen_words(trial.chosen) for trial in measured]
    total = max(int(sweep.get("trials") or 0), len(trials))
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Try",
                "x": numbers,
                "y": [trial.value for trial in measured],
                "customdata": [[text] for text in words],
                "marker": {"size": 10},
                "hovertemplate": "%{y:.4~g}: %{customdata[0]}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "Best so far",
                "x": numbers,
                "y": best,
                "line": {"shape": "hv", "width": 2},
                "hoverinfo": "skip",
            },
        ],
        "layout": {
            "uirevision": revision,
            "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 1, "yanchor": "top"},
            "margin": {"l": 60, "r": 12, "t": 30, "b": 44},
            "xaxis": {"range": [0.5, total + 0.5], "dtick": 1, "title": {"text": "Try"}, "automargin": False},
            "yaxis": {
                "title": {"text": str(sweep.get("objective", "")).replace("_", " ")},
                "tickformat": "~g",
            },
        },
    }
