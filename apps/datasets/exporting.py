"""Writing a version out as CSV or JSON lines, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from apps.core.spreadsheets import csv_lines
from apps.datasets.models import DatasetVersion, Example
from apps.datasets.selectors import examples_of

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_ROWS_AT_A_TIME = 1_000
_CHUNK_CHARS = 1 << 17


def export_version(version: DatasetVersion, format: str) -> Iterator[str]:
    """The version's text in chunks of about 128 kB, read with a server-side cursor."""
    lines = _csv_lines(version) if format == "csv" else _json_lines(version)
    gathered: list[str] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= _CHUNK_CHARS:
            yield "".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield "".join(gathered)


def _rows(version: DatasetVersion) -> Iterator[Example]:
    return examples_of(version).iterator(chunk_size=_ROWS_AT_A_TIME)


def _json_lines(version: DatasetVersion) -> Iterator[str]:
    inputs, metadata = version.columns.get("inputs", []), version.columns.get("metadata", [])
    for example in _rows(version):
        row = {
            "key": example.key,
            "split": example.split,
            "inputs": in_order(example.inputs, inputs),
            "reference": example.reference,
            "metadata": in_order(example.metadata, metadata),
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"


def in_order(values: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The values in the order of the file they came from: the database does not keep the order of keys."""
    ordered = {name: values[name] for name in names if name in values}
    return ordered | {name: value for name, value in values.items() if name not in ordered}


def _csv_lines(version: DatasetVersion) -> Iterator[str]:
    inputs, metadata = version.columns.get("inputs", []), version.columns.get("metadata", [])
    reference = _free_name(version.columns.get("reference") or "reference", {"key", "split", *inputs})
    taken = {"key", "split", reference, *inputs}
    header = ["key", *inputs, reference, *(_free_name(n, taken, "metadata.") for n in metadata), "split"]
    return csv_lines(header, (_csv_row(example, inputs, metadata) for example in _rows(version)))


def _csv_row(example: Example, inputs: list[str], metadata: list[str]) -> list[str]:
    cells = [example.key, *(_cell(example.inputs, name) for name in inputs)]
    cells.append("" if example.reference is None else _text(example.reference))
    return [*cells, *(_cell(example.metadata, name) for name in metadata), example.split]


def _free_name(name: str, taken: set[str], prefix: str = "reference.") -> str:
    return f"{prefix}{name}" if name in taken else name


def _cell(values: dict[str, Any], name: str) -> str:
    return _text(values[name]) if name in values and values[name] is not None else ""


def _text(value: Any) -> str:
    """Text as it is; numbers, truth values, lists and objects as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
