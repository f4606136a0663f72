"""What the pages of evaluators show, ready for their templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.evaluations.evaluator_selectors import DIRECTION_WORDS, metrics_of
from apps.evaluations.evaluators import EvaluatorKind, Group, MetricSpec, Place, kind, kinds

SCALE_WORDS = {"binary": "0 or 1", "continuous": "number", "ordinal": "rank"}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric in words."""

    name: str
    title: str
    direction: str
    range: str
    of_run: bool


@dataclass(frozen=True, slots=True)
class EvaluatorRow:
    """An evaluator in the list; `evaluator` carries its newest version's number, time and author."""

    evaluator: Any
    kind_title: str
    metrics: list[MetricRow]


def metric_rows(metrics: Iterable[MetricSpec]) -> list[MetricRow]:
    return [
        MetricRow(
            metric.name,
            metric.title,
            DIRECTION_WORDS[metric.direction],
            _range(metric),
            metric.level == "run",
        )
        for metric in metrics
    ]


def evaluator_row(evaluator: Any) -> EvaluatorRow:
    return EvaluatorRow(evaluator, kind(evaluator.kind).title, metric_rows(metrics_of(evaluator)))


@dataclass(frozen=True, slots=True)
class KindRow:
    """A kind to choose: what it gives for each item, and of the run as a whole, and what it needs."""

    kind: EvaluatorKind
    metrics: list[MetricRow]
    of_run: str
    needs: list[str]


def kind_groups(search: str = "") -> list[tuple[str, list[KindRow]]]:
    """The kinds under their headings; with `search` those whose description holds every word of it."""
    words = search.casefold().split()
    return [
        (group.value, rows)
        for group in Group
        if (rows := [_kind_row(of) for of in kinds() if of.group is group and _is_about(of, words)])
    ]


def needs_of(of: EvaluatorKind) -> list[str]:
    """What an output must come with to be scored, in words."""
    needs = ["a reference in the example"] * of.needs_reference
    needs += ["the embedded model"] * (of.place is Place.MEMORY)
    return needs + [of.also_needs] * bool(of.also_needs)


def _kind_row(of: EvaluatorKind) -> KindRow:
    of_run = ", ".join(metric.title for metric in of.run_metrics)
    return KindRow(of, metric_rows(of.metrics), of_run, needs_of(of))


def _is_about(of: EvaluatorKind, words: list[str]) -> bool:
    titles = " ".join(metric.title for metric in (*of.metrics, *of.run_metrics))
    text = f"{of.title} {of.name} {of.group} {of.description} {titles}".casefold()
    return all(word in text for word in words)


def _range(metric: MetricSpec) -> str:
    if metric.scale == "binary":
        return SCALE_WORDS["binary"]
    if metric.low is None or metric.high is None:
        return f"{SCALE_WORDS[metric.scale]} {metric.unit}".strip()
    return f"{_bound(metric.low)} to {_bound(metric.high)} {metric.unit}".strip()


def _bound(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
