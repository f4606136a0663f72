"""A frozen set as files: JSON lines for each split, a card that tells what is in them, and the lineage.

TRL's columns are those of its conversational dataset formats: prompt-completion (SFT), unpaired preference
(KTO) and preference (DPO). OpenAI's are its fine-tuning formats: {"messages"} for supervised fine-tuning and
{"input", "preferred_output", "non_preferred_output"} for direct preference optimization; it has none for KTO.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from apps.datasets.models import Example
from apps.feedback.models import TrainingSet, TrainingSource
from apps.feedback.training_sets.cards import card
from apps.feedback.training_sets.errors import NotFrozen, TrainingFileNotFound
from apps.feedback.training_sets.recipe import SPLITS
from apps.feedback.training_sets.selectors import frozen_rows

JSON_LINES, MARKDOWN = "application/x-ndjson", "text/markdown; charset=utf-8"
_ROWS = 1_000
_CHUNK_CHARS = 1 << 17
Method = TrainingSet.Method
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """One file: `format` is "trl", "openai", "lineage" or "card"; the first two have a split and rows."""

    name: str
    format: str
    split: str
    rows: int | None
    content_type: str


def files_of(training_set: TrainingSet) -> list[TrainingFile]:
    """The files of a frozen set. Raises NotFrozen."""
    if training_set.status != TrainingSet.Status.COMPLETED:
        raise NotFrozen(f"{training_set.name} is not frozen. Freeze it; its files are there then.")
    stem = f"training-set-{training_set.number}-{training_set.method}"
    counts = dict(frozen_rows(training_set).order_by().values_list("split").annotate(n=Count("id")))
    formats = ("trl",) if training_set.method == Method.KTO else ("trl", "openai")
    files = [
        TrainingFile(f"{stem}-{format}-{split}.jsonl", format, split, counts[split], JSON_LINES)
        for format in formats
        for split in SPLITS
        if counts.get(split)
    ]
    return [
        *files,
        TrainingFile(f"{stem}-lineage.jsonl", "lineage", "", None, JSON_LINES),
        TrainingFile(f"{stem}-README.md", "card", "", None, MARKDOWN),
    ]


def file_get(training_set: TrainingSet, name: str) -> TrainingFile:
    """Raises TrainingFileNotFound, NotFrozen."""
    for file in files_of(training_set):
        if file.name == name:
            return file
    raise TrainingFileNotFound(f"The training set {training_set.number} has no file {name[:120]!r}.")


def content_of(training_set: TrainingSet, file: TrainingFile) -> Iterator[str]:
    """The file's text in chunks of about 128 kB, read with a server-side cursor."""
    if file.format == "card":
        return iter([card(training_set, files_of(training_set))])
    if file.format == "lineage":
        return _in_chunks(_lineage(training_set))
    write = _TRL[training_set.method] if file.format == "trl" else _OPENAI[training_set.method]
    return _in_chunks(_rows(training_set, file.split, write))


def _rows(training_set: TrainingSet, split: str, write: Callable[[Example], Row]) -> Iterator[Row]:
    for example in frozen_rows(training_set, split=split).iterator(chunk_size=_ROWS):
        yield write(example)


def _lineage(training_set: TrainingSet) -> Iterator[Row]:
    """Each judgement of each row. People are told apart by nothing that names them."""
    sources = TrainingSource.objects.filter(training_set=training_set, counted=True)
    for source in sources.order_by("example_key", "id").iterator(chunk_size=_ROWS):
        yield {
            "row": source.example_key,
            "judgement": source.kind,
            "id": source.source_id,
            "says": source.says,
            "person_erased": source.person == TrainingSource.ERASED,
        }


def _in_chunks(rows: Iterable[Row]) -> Iterator[str]:
    gathered: list[str] = []
    size = 0
    for row in rows:
        line = json.dumps(row, ensure_ascii=False) + "\n"
        gathered.append(line)
        size += len(line)
        if size >= _CHUNK_CHARS:
            yield "".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield "".join(gathered)


def _messages(found: Any) -> list[Row]:
    """Role before content, as people read it: the database keeps no order of keys."""
    return [{"role": message["role"], "content": message["content"]} for message in found]


def _learned(example: Example) -> Row:
    return dict(example.reference or {})


def _sft(example: Example) -> Row:
    return {
        "prompt": _messages(example.inputs["prompt"]),
        "completion": _messages(_learned(example)["completion"]),
    }


def _kto(example: Example) -> Row:
    return {**_sft(example), "label": _learned(example)["label"]}


def _dpo(example: Example) -> Row:
    return {
        "prompt": _messages(example.inputs["prompt"]),
        "chosen": _messages(_learned(example)["chosen"]),
        "rejected": _messages(_learned(example)["rejected"]),
    }


def _openai_sft(example: Example) -> Row:
    row = _sft(example)
    return {"messages": [*row["prompt"], *row["completion"]]}


def _openai_dpo(example: Example) -> Row:
    row = _dpo(example)
    return {
        "input": {"messages": row["prompt"], "tools": [], "parallel_tool_calls": True},
        "preferred_output": row["chosen"],
        "non_preferred_output": row["rejected"],
    }


_TRL: dict[str, Callable[[Example], Row]] = {Method.SFT: _sft, Method.KTO: _kto, Method.DPO: _dpo}
_OPENAI: dict[str, Callable[[Example], Row]] = {Method.SFT: _openai_sft, Method.DPO: _openai_dpo}
