"""Why a training failed, in plain words, and what to change. Pure: the supervisor uses it too."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OUT_OF_MEMORY, DISK, DIVERGED, DATA, BASE, OTHER = (
    "out_of_memory",
    "disk",
    "diverged",
    "data",
    "base",
    "other",
)
_MEMORY_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "defaultcpuallocator",
    "cublas_status_alloc_failed",
)
#: torch.save and safetensors tell of a full disk in words of their own.
_DISK_SIGNS = ("no space left on device", "disk quota exceeded", "pytorchstreamwriter", "inline_container")


class DivergedError(Exception):
    """The loss is no number any more."""


class TrainingDataError(Exception):
    """The rows cannot be trained on; the message names the row where there is one."""


class BaseModelError(Exception):
    """The base cannot be loaded, or cannot be trained like this."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    message: str
    advice: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the advice depends on; settings by name, as in the spec."""

    method: str
    technique: str
    settings: Mapping[str, Any]
    on_gpu: bool = False
    four_bit: bool = False
    checkpointing: bool = False


def failure_of(error: BaseException, circumstances: Circumstances) -> Failure:
    """The failure in words; `other` carries the error's own."""
    text = str(error)
    if _is_memory(error, text):
        return out_of_memory(circumstances)
    if _is_disk(error, text):
        return disk_full()
    if isinstance(error, DivergedError):
        return Failure(DIVERGED, text, _diverged_advice(circumstances))
    if isinstance(error, TrainingDataError):
        return Failure(DATA, text, ["Correct the rows, or leave them out, and start the job anew."])
    if isinstance(error, BaseModelError):
        return Failure(BASE, text, ["Choose another base, or repair its folder."])
    return Failure(OTHER, f"{type(error).__name__}: {text}" if text else type(error).__name__)


def out_of_memory(circumstances: Circumstances, *, killed: bool = False) -> Failure:
    """`killed`: the operating system ended the process, so nothing else is known."""
    where = "The device's memory" if circumstances.on_gpu else "The machine's memory"
    message = (
        "The training was killed by the system, most likely because the memory did not suffice."
        if killed
        else f"{where} did not suffice for a step of this training."
    )
    return Failure(OUT_OF_MEMORY, message, _memory_advice(circumstances))


def disk_full() -> Failure:
    return Failure(
        DISK,
        "The disk is full: a checkpoint could not be written.",
        [
            "Make room in the data folder, then retry: the training goes on from its last checkpoint.",
            "Keep fewer checkpoints, or write them less often.",
        ],
    )


def _memory_advice(given: Circumstances) -> list[str]:
    batch = _whole(given.settings, "batch_size", 4)
    accumulation = _whole(given.settings, "gradient_accumulation", 1)
    length = _whole(given.settings, "max_length", 1024)
    least = 2 if given.method == "kto" else 1
    advice = []
    if batch > least:
        half = max(least, batch // 2)
        advice.append(
            f"Lower “Rows at a time” from {batch} to {half} and raise “Batches a step” from {accumulation} "
            f"to {accumulation * batch // half}: each step still learns from as many rows."
        )
    if not given.checkpointing:
        advice.append("Switch gradient checkpointing on: much less memory, about a third slower.")
    if length > 256:
        advice.append(f"Shorten “Longest row” from {length} to {length // 2} tokens.")
    if given.technique == "full":
        advice.append("Train a LoRA adapter instead of all weights.")
    elif given.on_gpu and not given.four_bit:
        advice.append("Load the base in 4 bits.")
    advice.append("Choose a smaller base, or a worker with more memory.")
    return advice


def _diverged_advice(given: Circumstances) -> list[str]:
    rate = given.settings.get("learning_rate")
    lower = f" from {rate:g} to {rate / 5:g}" if isinstance(rate, int | float) and rate > 0 else ""
    return [
        f"Lower the learning rate{lower}.",
        "Lengthen the warm-up, and cut gradients at 1.0.",
        "Look for odd rows: empty answers, or very long ones.",
    ]


def _is_memory(error: BaseException, text: str) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError | OSError) and any(sign in text.lower() for sign in _MEMORY_SIGNS)


def _is_disk(error: BaseException, text: str) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(sign in text.lower() for sign in _DISK_SIGNS)


def _whole(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    return int(value) if isinstance(value, int | float) else default
