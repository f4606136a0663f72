"""What the pages of evaluators show, ready for their templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.evaluations.evaluator_selectors import DIRECTION_WORDS, metrics_of
from apps.evaluations.evaluators import MetricSpec, kind

SCALE_WORDS = {"binary": "0 or 1", "continuous": "number", "ordinal": "rank"}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric in words."""

    name: str
    title: str
    direction: str
    range: str


@dataclass(frozen=True, slots=True)
class EvaluatorRow:
    """An evaluator in the list; `evaluator` carries its newest version's number, time and author."""

    evaluator: Any
    kind_title: str
    metrics: list[MetricRow]


def metric_rows(metrics: Iterable[MetricSpec]) -> list[MetricRow]:
    return [
        MetricRow(metric.name, metric.title, DIRECTION_WORDS[metric.direction], _range(metric))
        for metric in metrics
    ]


def evaluator_row(evaluator: Any) -> EvaluatorRow:
    return EvaluatorRow(evaluator, kind(evaluator.kind).title, metric_rows(metrics_of(evaluator)))


def _range(metric: MetricSpec) -> str:
    if metric.scale == "binary":
        return SCALE_WORDS["binary"]
    if metric.low is None or metric.high is None:
        return f"{SCALE_WORDS[metric.scale]} {metric.unit}".strip()
    return f"{_bound(metric.low)} to {_bound(metric.high)} {metric.unit}".strip()


def _bound(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
