"""What the device can do, and what that means for a training: number format, checkpointing, 4 bits.

The choice is pure; only `device_facts` asks torch, which it imports itself.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.training.trainer.memory import ModelShape, checkpointing_needed, memory_need
from apps.training.trainer.settings import TrainingSettings

#: Ampere: the first with bf16 and TF32.
_AMPERE = (8, 0)


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Of the device that a training takes; memory in bytes."""

    kind: str  # "cpu" or "cuda"
    name: str
    memory_bytes: int
    free_bytes: int
    #: Devices of the kind that this process sees; a model larger than one is spread over them.
    count: int = 1
    cores: int = 0
    threads: int = 0
    capability: tuple[int, int] = (0, 0)
    bf16: bool = False
    four_bit: bool = False

    @property
    def on_gpu(self) -> bool:
        return self.kind == "cuda"


@dataclass(frozen=True, slots=True)
class Choice:
    """How a training runs on a device. `notes` say what was asked for and is not there."""

    dtype: str
    checkpointing: bool
    four_bit: bool
    tf32: bool = False
    spread: bool = False
    notes: list[str] = field(default_factory=list)


def choose(
    facts: DeviceFacts,
    settings: TrainingSettings,
    *,
    method: str,
    technique: str,
    shape: ModelShape,
    trained_parameters: int,
    longest: int,
) -> Choice:
    """`longest` is the longest row in tokens."""
    notes: list[str] = []
    dtype = _dtype(facts, settings.precision, notes)
    need: dict[str, Any] = {
        "parameters": shape.parameters,
        "trained_parameters": trained_parameters,
        "technique": technique,
        "batch": settings.batch_size,
        "length": min(longest, settings.max_length),
        "dtype": dtype,
        "method": method,
        "on_gpu": facts.on_gpu,
        "optimizer": settings.optimizer,
        "shape": shape,
    }
    available = facts.free_bytes * facts.count if facts.on_gpu else facts.free_bytes
    four_bit = False
    if technique == "lora" and settings.four_bit != "off":
        tight = memory_need(**need, checkpointing=True) > available * 0.9
        four_bit = facts.four_bit and (settings.four_bit == "on" or tight)
        if settings.four_bit == "on" and not facts.four_bit:
            notes.append("The base is not loaded in 4 bits: that needs a CUDA device and bitsandbytes.")
    checkpointing = settings.gradient_checkpointing == "on" or (
        settings.gradient_checkpointing == "auto"
        and checkpointing_needed(available_bytes=available, four_bit=four_bit, **need)
    )
    needed = memory_need(**need, checkpointing=checkpointing, four_bit=four_bit)
    return Choice(
        dtype=dtype,
        checkpointing=checkpointing,
        four_bit=four_bit,
        tf32=facts.capability >= _AMPERE,
        spread=facts.on_gpu and facts.count > 1 and needed > facts.free_bytes * 0.9,
        notes=notes,
    )


def _dtype(facts: DeviceFacts, precision: str, notes: list[str]) -> str:
    if precision == "auto":
        return "bf16" if facts.on_gpu and facts.bf16 else "fp32"
    if precision == "bf16" and not facts.bf16:
        notes.append(f"{facts.name} has no bf16: the training runs in fp32.")
        return "fp32"
    return precision


def device_facts(wanted: str = "auto") -> DeviceFacts:
    """Of the GPU where one is seen, else of the CPU. Raises ValueError for a device that is not there."""
    import torch

    if wanted != "cpu" and torch.cuda.is_available():
        place = int(wanted.partition(":")[2] or 0) if wanted.startswith("cuda") else 0
        if place >= torch.cuda.device_count():
            raise ValueError(f"There is no device {wanted}: this process sees {torch.cuda.device_count()}.")
        free, total = torch.cuda.mem_get_info(place)
        return DeviceFacts(
            kind="cuda",
            name=torch.cuda.get_device_name(place),
            memory_bytes=total,
            free_bytes=free,
            count=torch.cuda.device_count() if wanted == "auto" else 1,
            cores=os.cpu_count() or 1,
            threads=torch.get_num_threads(),
            capability=torch.cuda.get_device_capability(place),
            bf16=torch.cuda.is_bf16_supported(including_emulation=False),
            four_bit=importlib.util.find_spec("bitsandbytes") is not None,
        )
    if wanted.startswith("cuda"):
        raise ValueError(f"There is no device {wanted}: this process sees no GPU.")
    total, free = _machine_memory()
    return DeviceFacts(
        kind="cpu",
        name=processor_name(),
        memory_bytes=total,
        free_bytes=free,
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        bf16=True,  # torch has it everywhere, if slowly
    )


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "CPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "CPU"


def _machine_memory() -> tuple[int, int]:
    """Total and available, of the container where it is limited to less than the machine has."""
    import psutil

    memory = psutil.virtual_memory()
    total, free = int(memory.total), int(memory.available)
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None and limit < total:
        total, free = limit, min(free, max(0, limit - (used or 0)))
    return total, free


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
