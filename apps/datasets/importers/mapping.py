"""From a file's columns to an example's inputs, reference, metadata, key and split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from apps.datasets.importers.rows import Row
from apps.datasets.importers.values import BadValue, canonical, check_size, check_text, dump, parse_json

MAX_KEY = 200
MAX_SPLIT = 40
_SEARCHED_CHARS = 20_000
_REFERENCE_NAMES = (
    *("reference", "expected", "expected_output", "expected_answer", "target", "answer", "answers", "label"),
    *("output", "completion", "ground_truth", "groundtruth", "ideal", "correct", "correction", "corrected"),
    *("gold", "response", "solution"),
)
_KEY_NAMES = ("key", "id", "uid", "uuid", "example_id", "item_id", "row_id")
_SPLIT_NAMES = ("split", "subset", "fold", "partition")
_METADATA_NAMES = (
    *("metadata", "meta", "category", "topic", "tag", "tags", "difficulty", "level", "source", "lang"),
    *("language", "type", "kind", "domain", "task", "note", "notes", "comment", "author", "date"),
    *("created_at", "updated_at", "score", "weight", "url", "license"),
)


class MappingError(Exception):
    """The mapping names a column that the file does not have, or none at all. `field` names the part."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


@dataclass(frozen=True)
class Mapping:
    """`inputs` and `metadata` name columns, in order; `json` those whose text is JSON (CSV only).

    A column called "inputs" (or "metadata") that holds an object is taken apart into its members, so that
    an export can be imported again.
    """

    inputs: list[str]
    reference: str = ""
    metadata: list[str] = field(default_factory=list)
    key: str = ""
    split: str = ""
    json: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("inputs", "reference", "metadata", "key", "split", "json")
        }

    def named(self) -> list[str]:
        """The columns that are read, each once."""
        wanted = [*self.inputs, self.reference, *self.metadata, self.key, self.split]
        return list(dict.fromkeys(name for name in wanted if name))


@dataclass(frozen=True, slots=True)
class MappedRow:
    """An example as it is stored: JSON as text."""

    line: int
    key: str
    inputs: str
    reference: str | None
    metadata: str
    split: str
    content_hash: str
    search_text: str


def check_mapping(mapping: Mapping, columns: list[str]) -> None:
    """Raises MappingError for a column that the file does not have."""
    if not mapping.inputs:
        raise MappingError("Choose at least one column as an input.", field="inputs")
    parts = {
        "inputs": mapping.inputs,
        "reference": [mapping.reference],
        "metadata": mapping.metadata,
        "key": [mapping.key],
        "split": [mapping.split],
        "json": mapping.json,
    }
    for part, names in parts.items():
        for name in names:
            if name and name not in columns:
                known = ", ".join(columns[:30]) + (", …" if len(columns) > 30 else "")
                raise MappingError(
                    f"The file has no column {name!r} ({part}). Its columns are: {known}.", field=part
                )


def guess_mapping(columns: list[str], rows: list[Row]) -> Mapping:
    """A first proposal from the columns' names; what is left over are inputs."""
    by_name = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(columns)}
    key = _first(by_name, _KEY_NAMES)
    if key and not _distinct(key, rows):
        key = ""
    split = _first(by_name, _SPLIT_NAMES)
    reference = _first(by_name, _REFERENCE_NAMES)
    if "inputs" in columns and all(isinstance(row.values.get("inputs"), dict) for row in rows):
        metadata = [name for name in columns if name == "metadata"]
        return Mapping(["inputs"], "reference" if "reference" in columns else "", metadata, key, split)
    rest = [name for name in columns if name not in (key, split, reference)]
    metadata = [name for name in rest if _is_metadata(name, reference)]
    inputs = [name for name in rest if name not in metadata]
    if not inputs and reference:
        inputs, reference = [reference], ""
    if not inputs:
        inputs, metadata = (metadata or [name for name in (key, split) if name])[:1], metadata[1:]
        key, split = ("", split) if inputs == [key] else (key, "" if inputs == [split] else split)
    return Mapping(
        inputs, reference, metadata, key, split, [n for n in [*rest, reference] if n and _is_json(n, rows)]
    )


def _is_metadata(name: str, reference: str) -> bool:
    plain = name.strip().lower()
    if plain == "source" and reference.strip().lower() == "target":  # a pair of texts, as in translation
        return False
    return plain in _METADATA_NAMES or name.startswith("metadata.")


def _first(by_name: dict[str, str], candidates: tuple[str, ...]) -> str:
    return next((by_name[name] for name in candidates if name in by_name), "")


def _distinct(column: str, rows: list[Row]) -> bool:
    values = [str(row.values.get(column, "")) for row in rows]
    return all(values) and len(set(values)) == len(values)


def _is_json(column: str, rows: list[Row]) -> bool:
    """Whether every text of the column is a JSON object or list."""
    texts = [row.values[column] for row in rows if row.values.get(column)]
    if not texts or not all(isinstance(text, str) and text.lstrip()[:1] in ("{", "[") for text in texts):
        return False
    try:
        return all(isinstance(parse_json(text), dict | list) for text in texts)
    except BadValue:
        return False


class Mapper:
    """Turns rows into examples. Gathers the names of what it met in `inputs_seen` and `metadata_seen`."""

    def __init__(self, mapping: Mapping, *, text_only: bool) -> None:
        """`text_only`: every value is text (CSV), where an empty reference means that there is none."""
        self._mapping = mapping
        self._text_only = text_only
        self._json = frozenset(mapping.json) if text_only else frozenset()
        self.inputs_seen: dict[str, None] = {}
        self.metadata_seen: dict[str, None] = {}
        self.splits_seen: dict[str, None] = {}

    def columns(self) -> dict[str, Any]:
        """As DatasetVersion.columns."""
        reference = self._mapping.reference
        return {
            "inputs": list(self.inputs_seen)[:500],
            "reference": reference,
            "metadata": list(self.metadata_seen)[:500],
            "splits": list(self.splits_seen)[:100],
        }

    def map(self, row: Row) -> MappedRow:
        """Raises BadValue, its message a whole sentence."""
        inputs = self._gather(row, self._mapping.inputs, "inputs", required=True)
        metadata = self._gather(row, self._mapping.metadata, "metadata", required=False)
        reference = self._reference(row)
        split = self._text(row, self._mapping.split, MAX_SPLIT)
        key = self._text(row, self._mapping.key, MAX_KEY)
        if self._mapping.key and not key:
            raise BadValue(f"Column {self._mapping.key!r}, which names the example, is empty.")
        self._remember(inputs, metadata, split)
        return mapped_row(row.line, inputs, reference, metadata, split, key)

    def _gather(self, row: Row, columns: list[str], part: str, *, required: bool) -> dict[str, Any]:
        gathered: dict[str, Any] = {}
        for name in columns:
            if name not in row.values:
                if required:
                    raise BadValue(f"The row has no field {name!r}.")
                continue
            value = self._value(row, name)
            if name == part and isinstance(value, dict):
                gathered.update(value)
            elif part == "metadata" and name.startswith("metadata."):
                gathered[name.removeprefix("metadata.")] = value
            else:
                gathered[name] = value
        return gathered

    def _value(self, row: Row, name: str) -> Any:
        value = row.values[name]
        try:
            if isinstance(value, str):
                check_text(value)
                return parse_json(value) if name in self._json and value.strip() else value
            check_size(value)
            dump(value)
            return value
        except BadValue as error:
            raise BadValue(f"Column {name!r} {error}.") from None

    def _reference(self, row: Row) -> Any:
        name = self._mapping.reference
        if not name or name not in row.values:
            return None
        value = self._value(row, name)
        return None if self._text_only and value == "" else value

    def _text(self, row: Row, name: str, longest: int) -> str:
        if not name or row.values.get(name) is None:
            return ""
        value = row.values[name]
        if isinstance(value, dict | list):
            raise BadValue(f"Column {name!r} must be text or a number here.")
        text = str(value).strip()
        if len(text) > longest:
            raise BadValue(f"Column {name!r} is longer than {longest} characters.")
        try:
            check_text(text)
        except BadValue as error:
            raise BadValue(f"Column {name!r} {error}.") from None
        return text

    def _remember(self, inputs: dict[str, Any], metadata: dict[str, Any], split: str) -> None:
        if not inputs.keys() <= self.inputs_seen.keys():
            self.inputs_seen.update(dict.fromkeys(inputs))
        if not metadata.keys() <= self.metadata_seen.keys():
            self.metadata_seen.update(dict.fromkeys(metadata))
        if split and split not in self.splits_seen:
            self.splits_seen[split] = None


def mapped_row(
    line: int, inputs: dict[str, Any], reference: Any, metadata: dict[str, Any], split: str, key: str = ""
) -> MappedRow:
    """An example ready to be stored; without a key, it is named by the hash of its inputs."""
    inputs_text, metadata_text = dump(inputs), dump(metadata)
    reference_text = None if reference is None else dump(reference)
    canonical_inputs = canonical(inputs)
    if not key:
        key = hashlib.sha256(canonical_inputs.encode()).hexdigest()[:24]
    content = "\x1f".join((canonical_inputs, canonical(reference), canonical(metadata), split))
    content_hash = hashlib.sha256(content.encode()).hexdigest()
    search_text = _searchable(inputs, reference)
    return MappedRow(line, key, inputs_text, reference_text, metadata_text, split, content_hash, search_text)


def _searchable(inputs: dict[str, Any], reference: Any) -> str:
    parts: list[str] = []
    _texts([*inputs.values(), reference], parts, [_SEARCHED_CHARS])
    return "\n".join(parts)


def _texts(values: list[Any], parts: list[str], left: list[int]) -> None:
    for value in values:
        if left[0] <= 0:
            return
        if isinstance(value, dict):
            _texts(list(value.values()), parts, left)
        elif isinstance(value, list):
            _texts(value, parts, left)
        elif value is not None:
            text = (value if isinstance(value, str) else str(value))[: left[0]]
            parts.append(text)
            left[0] -= len(text)
