"""Which metrics two runs share, and what each is: by the plan of the baseline, then by the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from apps.evaluations.comparing.loading import Named, RunRows
from apps.evaluations.comparing.votes import SOURCES
from apps.evaluations.evaluators import Scale
from apps.evaluations.models import EvalRun
from apps.evaluations.selectors import metric_titles

PREFERENCE = "preference"
VOTED = {(PREFERENCE, source) for source in SOURCES}


@dataclass(frozen=True, slots=True)
class SharedMetric:
    """`low` and `high` bound its values (None: no bound). Level "run": only a whole run has it."""

    name: str
    source: str
    title: str
    level: Literal["item", "run"]
    direction: Literal["higher", "lower", ""]
    scale: Scale
    unit: str
    low: float | None
    high: float | None
    #: Who made it, as id of the evaluator's version; "" for scores made elsewhere.
    evaluator_version: str = ""

    @property
    def key(self) -> Named:
        return self.name, self.source

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "level": self.level,
            "direction": self.direction,
            "scale": self.scale,
            "unit": self.unit,
        }


def metrics_of(run: EvalRun, rows: RunRows) -> list[SharedMetric]:
    """The plan's metrics in its order, then those whose scores were made elsewhere, by name.

    Without scores that follow from votes: they are of pairs with any run, and a comparison counts the votes
    between its own.
    """
    titles = metric_titles(run)
    planned = [_planned(spec, titles) for spec in run.plan.get("metrics", [])]
    others = sorted(key for key in rows.scores if key[1] != "evaluator" and key not in VOTED)
    return planned + [_posted(key, rows.scores[key].values) for key in others]


def shared_metrics(
    baseline: list[SharedMetric], candidate: EvalRun, candidate_rows: RunRows
) -> list[SharedMetric]:
    """Those of the baseline's that the candidate measures too."""
    return shared_of(baseline, metrics_of(candidate, candidate_rows))


def shared_of(baseline: list[SharedMetric], candidate: list[SharedMetric]) -> list[SharedMetric]:
    """Scores made elsewhere are shares only where both runs have nothing but 0 and 1."""
    theirs = {metric.key: metric for metric in candidate}
    return [
        theirs[metric.key] if metric.source != "evaluator" and metric.scale == "binary" else metric
        for metric in baseline
        if metric.key in theirs
    ]


def _planned(spec: Mapping[str, Any], titles: Mapping[str, str]) -> SharedMetric:
    binary = spec["scale"] == "binary"
    low, high = spec.get("low"), spec.get("high")
    return SharedMetric(
        name=spec["name"],
        source="evaluator",
        title=titles.get(spec["name"], spec["title"]),
        level=spec.get("level", "item"),
        direction=spec["direction"] or "",
        scale=spec["scale"],
        unit=spec["unit"],
        low=0.0 if binary and low is None else low,
        high=1.0 if binary and high is None else high,
        evaluator_version=spec.get("evaluator_version", ""),
    )


def _posted(key: Named, values: np.ndarray[Any, Any]) -> SharedMetric:
    name, source = key
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    bounds = (0.0, 1.0) if binary else (None, None)
    return SharedMetric(
        name, source, name, "item", "higher", "binary" if binary else "continuous", "", *bounds
    )
