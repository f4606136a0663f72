"""The rows of a training: read from files, measured in tokens, rendered by the base's chat template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.training.trainer.failures import TrainingDataError

Row = dict[str, Any]
#: Message lists of a row by method: what is asked, and each answer that goes through the model.
ANSWERS = {"sft": ("completion",), "kto": ("completion",), "dpo": ("chosen", "rejected")}


@dataclass(frozen=True, slots=True)
class Lengths:
    """In tokens, of prompt and answer together. `unseen` are rows whose prompt alone fills max_length."""

    longest: int
    truncated: int
    unseen: int
    tokens: int


def read_rows(path: Path, method: str) -> list[Row]:
    """Of a file of one JSON object a line. Raises TrainingDataError, which names the line."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                rows.append(_row(line, number, method))
    return rows


def _row(line: str, number: int, method: str) -> Row:
    try:
        found = json.loads(line)
        row: Row = {name: _messages(found[name]) for name in ("prompt", *ANSWERS[method])}
        if method == "kto":
            row["label"] = bool(found["label"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingDataError(f"Row {number} is no row for {method.upper()}: {error!r}.") from error
    return row


def _messages(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the fields that are null: chat templates take them for there."""
    if not isinstance(found, list) or not found:
        raise ValueError("a list of messages is empty")
    return [{name: value for name, value in message.items() if value is not None} for message in found]


def measure(rows: list[Row], tokenizer: Any, *, method: str, max_length: int) -> Lengths:
    """Tokenise all rows as the trainer will.

    Raises TrainingDataError for a row that the base's chat template refuses.
    """
    prompts = _token_counts(list(_rendered(rows, (), tokenizer)), tokenizer)
    longest, tokens, over = 0, 0, [False] * len(rows)
    for name in ANSWERS[method]:
        counts = _token_counts(list(_rendered(rows, (name,), tokenizer)), tokenizer)
        longest, tokens = max([longest, *counts]), tokens + sum(min(count, max_length) for count in counts)
        over = [was or count > max_length for was, count in zip(over, counts, strict=True)]
    unseen = sum(count >= max_length for count in prompts)
    return Lengths(longest=longest, truncated=sum(over), unseen=unseen, tokens=tokens)


def _rendered(rows: list[Row], answers: tuple[str, ...], tokenizer: Any) -> Iterator[str]:
    for number, row in enumerate(rows, start=1):
        messages = [*row["prompt"], *(message for name in answers for message in row[name])]
        try:
            yield tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not answers)
        except Exception as error:
            raise TrainingDataError(
                f"The chat template of the base refuses row {number}: {error}. Its roles are "
                f"{', '.join(str(message.get('role')) for message in messages)}."
            ) from error


def _token_counts(texts: list[str], tokenizer: Any) -> list[int]:
    if not texts:
        return []
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
