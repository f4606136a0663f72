"""Examples as people read them: text as text, whatever is nested as an indented outline, never raw JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.datasets.exporting import in_order
from apps.datasets.models import DatasetVersion, DraftChange, Example

_LONGEST_CELL = 600
_MOST_COLUMNS = 6


@dataclass(frozen=True)
class Field:
    name: str
    text: str


@dataclass(frozen=True)
class ExampleRow:
    """A line of the table: one cell for each shown column."""

    example: Example
    cells: list[str]
    reference: str
    state: str  # "", upsert or delete: what the draft does with it


@dataclass(frozen=True)
class ExampleText:
    """Everything about one example, in words."""

    inputs: list[Field]
    reference: str | None
    metadata: list[Field]
    split: str


def readable(value: Any, indent: int = 0) -> str:
    """Text as it is; a list as lines with a dash; an object as lines "name: value"."""
    margin = "  " * indent
    if isinstance(value, dict):
        return "\n".join(_line(f"{margin}{name}:", item, indent) for name, item in value.items())
    if isinstance(value, list):
        return "\n".join(_line(f"{margin}–", item, indent) for item in value)
    return _scalar(value)


def _line(label: str, item: Any, indent: int) -> str:
    if isinstance(item, dict | list) and item:
        return f"{label}\n{readable(item, indent + 1)}"
    return f"{label} {_scalar(item)}"


def _scalar(value: Any) -> str:
    if value is None or value in ({}, []):
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def shortened(value: Any) -> str:
    text = readable(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def shown_columns(version: DatasetVersion) -> list[str]:
    names: list[str] = version.columns.get("inputs", [])
    return names[:_MOST_COLUMNS]


def example_rows(
    version: DatasetVersion, examples: Iterable[Example], draft: dict[str, str] | None = None
) -> list[ExampleRow]:
    names = shown_columns(version)
    return [
        ExampleRow(
            example=example,
            cells=[shortened(example.inputs[name]) if name in example.inputs else "" for name in names],
            reference="" if example.reference is None else shortened(example.reference),
            state=(draft or {}).get(example.key, ""),
        )
        for example in examples
    ]


def example_text(row: Example | DraftChange, columns: dict[str, Any]) -> ExampleText:
    return ExampleText(
        inputs=_fields(in_order(row.inputs, columns.get("inputs", []))),
        reference=None if row.reference is None else readable(row.reference),
        metadata=_fields(in_order(row.metadata, columns.get("metadata", []))),
        split=row.split,
    )


def _fields(values: dict[str, Any]) -> list[Field]:
    return [Field(name, readable(value)) for name, value in values.items()]


def as_one_text(row: Example | DraftChange | None, columns: dict[str, Any]) -> str:
    """All of an example in one text, for showing two of them side by side."""
    if row is None:
        return ""
    shown = example_text(row, columns)
    parts = [f"{field.name}\n{field.text}" for field in shown.inputs]
    if shown.reference is not None:
        parts.append(f"reference\n{shown.reference}")
    parts += [f"{field.name}: {field.text}" for field in shown.metadata]
    if shown.split:
        parts.append(f"split: {shown.split}")
    return "\n\n".join(parts)
