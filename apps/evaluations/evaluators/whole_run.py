"""Metrics that only a whole run has (corpus BLEU, macro F1): functions of sums over its examples.

Each item keeps its *statistics*, a JSON value. An example's statistics (one a repetition) become *totals*,
numbers by name, which are added over the examples; the metric is a function of the sum. So a run of any size
is summarised in one pass, and a bootstrap adds the totals of resampled examples without scoring anything
again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import MetricSpec


@dataclass(frozen=True, slots=True)
class RunMetricName:
    """The key under which a run's own figure (a mean, another whole-run metric) is among the totals."""

    name: str


Totals = Mapping[Hashable, float]
Config = Mapping[str, Any]


def added_up(statistics: Sequence[Mapping[str, float]], config: Config) -> Totals:
    """The totals of an example whose statistics are numbers by name: their sums."""
    totals: dict[Hashable, float] = {}
    for one in statistics:
        for name, number in one.items():
            totals[name] = totals.get(name, 0.0) + number
    return totals


def nothing_more(totals: Totals, config: Config) -> dict[str, dict[str, Any]]:
    return {}


@dataclass(frozen=True, slots=True)
class WholeRun:
    """How a kind's metrics of level "run" come about.

    `of_example` turns the statistics of one example's scored repetitions into totals; `score` turns the
    totals of the run into values by metric name (None: not defined for these outputs). The bootstrap calls
    `resampled` a thousand times instead, which gives the same values; where it is left out, `score` is quick.
    `describe` gives, by metric name, what is shown beside the value: {"signature": "nrefs:1|…"},
    {"confusion": {"labels": […], "columns": […], "counts": [[…], …]}}.
    """

    metrics: tuple[MetricSpec, ...]
    score: Callable[[Totals, Config], Mapping[str, float | None]]
    of_example: Callable[[Sequence[Any], Config], Totals] = added_up
    describe: Callable[[Totals, Config], Mapping[str, Mapping[str, Any]]] = nothing_more
    resampled: Callable[[Totals, Config], Mapping[str, float | None]] | None = None
