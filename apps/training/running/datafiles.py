"""The rows that a job trains on, and the files of them that its trainer reads.

Rows of a training set hold TRL's conversational columns already. Rows of any other dataset are rendered by
the job's prompt version; what is learnt is their reference, as an answer of the assistant.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from apps.datasets.models import Example
from apps.datasets.selectors import examples_of, splits_of
from apps.evaluations.evaluators.references import reference_texts
from apps.prompts.rendering import RenderError, render_messages
from apps.training.models import FineTuningJob
from apps.training.running.errors import JobFailure
from apps.training.splits import TRAIN, VALIDATION, has_train, part_of

#: The columns that each method learns from, besides the prompt.
LEARNED: Mapping[str, tuple[str, ...]] = {
    "sft": ("completion",),
    "kto": ("completion", "label"),
    "dpo": ("chosen", "rejected"),
}
_ROLES = {"system", "user", "assistant", "tool", "developer"}
_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class TrainRow:
    """One row as TRL reads it.

    `split`: "train" or "validation". `columns`: {"prompt": [messages], "completion": [messages]}, with
    "label" for KTO; {"prompt", "chosen", "rejected"} for DPO. `problem`: why it cannot be trained on, in
    plain words; its columns are empty then.
    """

    key: str
    split: str
    columns: dict[str, Any]
    problem: str = ""


@dataclass(slots=True)
class DataFiles:
    """What `write_rows` wrote: paths (None: no validation rows), numbers of rows, and the hash of all of it.

    `left_out` counts rows that could not be used, by why.
    """

    train: Path
    validation: Path | None
    rows: dict[str, int]
    sha256: str
    left_out: dict[str, int] = field(default_factory=dict)


def rows_of(job: FineTuningJob) -> Iterator[TrainRow]:
    """All rows of the job's dataset version that are for training or validation, in their order."""
    named = has_train(splits_of(job.dataset_version))
    for example in examples_of(job.dataset_version).iterator(chunk_size=_ROWS):
        split = part_of(example.split, has_train=named)
        if split:
            yield _row(job, example, split)


def _row(job: FineTuningJob, example: Example, split: str) -> TrainRow:
    try:
        columns = _columns(job, example)
    except (_Unusable, RenderError) as problem:
        return TrainRow(example.key, split, {}, problem=str(problem))
    return TrainRow(example.key, split, columns)


class _Unusable(Exception):
    """Says why a row cannot be trained on."""


def _columns(job: FineTuningJob, example: Example) -> dict[str, Any]:
    learned = example.reference if isinstance(example.reference, dict) else {}
    conversation = isinstance(example.inputs, dict) and isinstance(example.inputs.get("prompt"), list)
    if conversation and all(name in learned for name in LEARNED[job.method]):
        return _conversational(job.method, example.inputs["prompt"], learned)
    return _rendered(job, example)


def _conversational(method: str, prompt: Any, learned: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {"prompt": _messages(prompt, "prompt")}
    for name in LEARNED[method]:
        if name != "label":
            columns[name] = _messages(learned[name], name)
        elif isinstance(learned[name], bool):
            columns[name] = learned[name]
        else:
            raise _Unusable("its label is neither true nor false")
    return columns


def _rendered(job: FineTuningJob, example: Example) -> dict[str, Any]:
    if job.method != FineTuningJob.Method.SFT:
        needed = " and ".join(("prompt", *LEARNED[job.method]))
        raise _Unusable(f"it has no {needed}")
    if job.prompt_version is None:
        raise _Unusable("it is no conversation, and no prompt was chosen that makes one of it")
    version = job.prompt_version
    prompt = render_messages(version.messages, example.inputs, includes=version.includes)
    answers = [text for text in reference_texts(example.reference) if text.strip()]
    if not answers:
        raise _Unusable("it has no reference, so there is nothing to learn")
    return {"prompt": _messages(prompt, "prompt"), "completion": [_assistant(answers[0])]}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _messages(found: Any, name: str) -> list[dict[str, str]]:
    """Role before content, as people read it: the database keeps no order of keys."""
    if isinstance(found, str) and found.strip() and name != "prompt":
        return [_assistant(found)]
    if not isinstance(found, list) or not found:
        raise _Unusable(f"its {name} is empty")
    messages = []
    for message in found:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str) or message.get("role") not in _ROLES:
            raise _Unusable(f"its {name} has a message without text, which cannot be trained on")
        messages.append({"role": str(message["role"]), "content": content})
    if name != "prompt" and not any(message["content"].strip() for message in messages):
        raise _Unusable(f"its {name} is empty")
    return messages


def write_rows(job: FineTuningJob, folder: Path) -> DataFiles:
    """Write train.jsonl and validation.jsonl into `folder`.

    The same job writes the same bytes each time; `sha256` is over both files. Raises JobFailure where not
    one row can be trained on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {part: folder / f"{part}.jsonl" for part in (TRAIN, VALIDATION)}
    rows, left_out = {TRAIN: 0, VALIDATION: 0}, dict[str, int]()
    hashes = {part: hashlib.sha256() for part in paths}
    with paths[TRAIN].open("wb") as train, paths[VALIDATION].open("wb") as validation:
        files: dict[str, IO[bytes]] = {TRAIN: train, VALIDATION: validation}
        for row in rows_of(job):
            if row.problem:
                left_out[row.problem] = left_out.get(row.problem, 0) + 1
                continue
            line = (json.dumps(row.columns, ensure_ascii=False) + "\n").encode()
            files[row.split].write(line)
            hashes[row.split].update(line)
            rows[row.split] += 1
    if not rows[TRAIN]:
        raise _nothing_to_train_on(left_out)
    whole = hashlib.sha256("".join(hashes[part].hexdigest() for part in sorted(hashes)).encode())
    has_validation = paths[VALIDATION] if rows[VALIDATION] else None
    return DataFiles(paths[TRAIN], has_validation, rows, whole.hexdigest(), left_out)


def _nothing_to_train_on(left_out: dict[str, int]) -> JobFailure:
    why = "; ".join(f"{n:,} rows: {problem}" for problem, n in sorted(left_out.items())[:3])
    return JobFailure(
        "data",
        f"There is no row to train on. {why}".strip(),
        ("Choose a version of the dataset that has rows in its split “train”, or rows without a split.",),
    )
