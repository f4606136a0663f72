"""Rows that a version was trained on, as its page and REST show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.datasets.models import Example
from apps.feedback.models import TrainingSource
from apps.feedback.training_sets.presenting import ShownRow, ShownSource, shown_rows, shown_sources
from apps.feedback.training_sets.selectors import sources_of
from apps.training.models import ModelVersion
from apps.training.registry.selectors import training_set_of


@dataclass(frozen=True, slots=True)
class LineageRow:
    """One row with the judgements it came from. `row` is None of a dataset that no training set made;
    `fields` are its inputs and reference then."""

    key: str
    split: str
    row: ShownRow | None
    fields: list[tuple[str, str]]
    sources: list[ShownSource]


def shown_lineage(version: ModelVersion, rows: Sequence[Example]) -> list[LineageRow]:
    """The same handful of queries however many rows."""
    training_set = training_set_of(version)
    if training_set is None:
        return [LineageRow(row.key, row.split, None, _fields(row), []) for row in rows]
    shown = shown_rows(training_set, rows)
    sources = sources_of(training_set, [row.key for row in rows])
    flat = [source for row in rows for source in sources[row.key]]
    told = iter(shown_sources(version.project, flat))
    return [
        LineageRow(row.key, row.split, as_shown, [], [next(told) for _ in sources[row.key]])
        for row, as_shown in zip(rows, shown, strict=True)
    ]


def told_sources(version: ModelVersion, rows: Sequence[Example]) -> dict[str, list[TrainingSource]]:
    """The judgements behind each row by its key, for REST; empty where no training set made them."""
    training_set = training_set_of(version)
    return sources_of(training_set, [row.key for row in rows]) if training_set else {}


def _fields(row: Example) -> list[tuple[str, str]]:
    given = [(name, _text(value)) for name, value in row.inputs.items()]
    return given if row.reference is None else [*given, ("reference", _text(row.reference))]


def _text(value: Any) -> str:
    """Messages and columns as text to read."""
    if isinstance(value, list):
        return "\n".join(_text(part) for part in value)
    if isinstance(value, dict):
        if "content" in value:
            return f"{value.get('role', '')}: {_text(value['content'])}"
        return "\n".join(f"{name}: {_text(part)}" for name, part in value.items())
    return "" if value is None else str(value)
