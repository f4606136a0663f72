"""The rows of a job in the columns of OpenAI's fine-tuning formats, as files to send.

{"messages"} for supervised fine-tuning, {"input", "preferred_output", "non_preferred_output"} for DPO.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.training.models import FineTuningJob
from apps.training.running.datafiles import write_rows
from apps.training.running.errors import JobFailure
from apps.training.splits import TRAIN, VALIDATION

#: Fewer are refused by OpenAI, after the upload.
LEAST_ROWS = 10


@dataclass(frozen=True, slots=True)
class OpenAIFile:
    """A file to send. `name` holds the job and the content's hash, so that it is found again by its name."""

    part: str
    name: str
    path: Path
    rows: int


def write_openai_files(job: FineTuningJob, folder: Path) -> tuple[list[OpenAIFile], str]:
    """Write the training file, and the validation file where there are rows for it; and the hash of the rows.

    Raises JobFailure where there is too little to send.
    """
    rows = write_rows(job, folder)
    if rows.rows[TRAIN] < LEAST_ROWS:
        raise JobFailure(
            "data",
            f"Hosted fine-tuning needs at least {LEAST_ROWS} rows; there are {rows.rows[TRAIN]}.",
            ("Choose a training set with more rows, or train an adapter here.",),
        )
    paths = {TRAIN: rows.train, VALIDATION: rows.validation}
    files = [_rewritten(job, part, path, rows.rows[part]) for part, path in paths.items() if path]
    return files, rows.sha256


def _rewritten(job: FineTuningJob, part: str, source: Path, rows: int) -> OpenAIFile:
    target = source.with_name(f"openai-{part}.jsonl")
    seen = hashlib.sha256()
    with source.open(encoding="utf-8") as lines, target.open("wb") as out:
        for line in lines:
            written = (json.dumps(openai_row(json.loads(line)), ensure_ascii=False) + "\n").encode()
            seen.update(written)
            out.write(written)
    return OpenAIFile(part, f"llmops-{job.pk}-{part}-{seen.hexdigest()[:12]}.jsonl", target, rows)


def openai_row(columns: dict[str, Any]) -> dict[str, Any]:
    if "chosen" in columns:
        return {
            "input": {"messages": columns["prompt"], "tools": [], "parallel_tool_calls": True},
            "preferred_output": columns["chosen"],
            "non_preferred_output": columns["rejected"],
        }
    return {"messages": [*columns["prompt"], *columns["completion"]]}
