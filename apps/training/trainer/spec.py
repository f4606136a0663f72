"""What the training process is told, and the names of the files it and its supervisor speak through.

Plain Python: the web process and the supervisor import this too.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: In the folder of a run. The supervisor writes the first before it starts the process.
SPEC_FILE = "spec.json"
#: One JSON object a line, appended by the training process.
EVENTS_FILE = "events.jsonl"
#: Standard output and error of the process; opened by the supervisor.
LOG_FILE = "log.txt"
#: Created by the supervisor: finish the step, keep what there is, and end.
STOP_FILE = "stop"

METHODS = ("sft", "dpo", "kto")
TECHNIQUES = ("lora", "full")

#: Exit codes of the process: it ended as asked; it failed and told why in an event.
EXIT_DONE = 0
EXIT_TOLD_FAILURE = 3

Messages = list[dict[str, Any]]


class BadSpecError(ValueError):
    """The order of a training run cannot be read; the message names what is wrong."""


@dataclass(frozen=True)
class TrainerSpec:
    """One training: of a job, or of one trial of its sweep.

    `train` and `validation` are files of TRL's conversational rows, one JSON object a line:
    {"prompt": [messages], "completion": [messages]}, with "label" for KTO; {"prompt", "chosen", "rejected"}.
    `settings` are named as in the catalogue of settings; those left out have its defaults.
    `samples` are lists of messages that are answered, in at most `sample_tokens` tokens, at each checkpoint.
    """

    job: str
    method: str
    technique: str
    base_folder: Path
    train: Path
    output_folder: Path
    validation: Path | None = None
    trial: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 42
    resume_from: Path | None = None
    samples: list[Messages] = field(default_factory=list)
    sample_tokens: int = 96
    #: "auto", "cpu" or "cuda:0".
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadSpecError(f"A method of training is one of {', '.join(METHODS)}, not “{self.method}”.")
        if self.technique not in TECHNIQUES:
            raise BadSpecError(
                f"A technique of training is one of {', '.join(TECHNIQUES)}, not “{self.technique}”."
            )


def spec_to_json(spec: TrainerSpec) -> dict[str, Any]:
    """As it lies in the run's folder; paths as text, the two files of rows under "data"."""
    found = asdict(spec)
    found["data"] = {"train": str(found.pop("train")), "validation": _text(found.pop("validation"))}
    for name in ("base_folder", "output_folder", "resume_from"):
        found[name] = _text(found[name])
    return found


def spec_from_json(found: dict[str, Any]) -> TrainerSpec:
    """Raises BadSpecError where a part is missing or of the wrong kind."""
    values = dict(found)
    try:
        rows = values.pop("data")
        values["train"] = Path(rows["train"])
        values["validation"] = _path(rows.get("validation"))
        values["base_folder"] = Path(values["base_folder"])
        values["output_folder"] = Path(values["output_folder"])
        values["resume_from"] = _path(values.get("resume_from"))
        return TrainerSpec(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadSpecError(f"The order of the training run cannot be read: {error}.") from error


def write_spec(spec: TrainerSpec, folder: Path) -> Path:
    """Write the order into the run's folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SPEC_FILE
    aside = folder / f".{SPEC_FILE}.{os.getpid()}"
    aside.write_text(json.dumps(spec_to_json(spec), indent=1), encoding="utf-8")
    aside.replace(path)
    return path


def read_spec(folder: Path) -> TrainerSpec:
    path = folder / SPEC_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSpecError(f"{path.name} of the training run cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise BadSpecError(f"{path.name} of the training run is no object.")
    return spec_from_json(found)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
