"""The head of a safetensors file, read without loading any weight and without trusting it.

Format: eight bytes with the length of the head (little-endian), the head as JSON, then the tensors' bytes
(https://github.com/huggingface/safetensors, "Format"). Nothing in it can run code.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.training.registry.errors import BadWeights

#: Below the library's own bound of 100 MB: room for 200,000 tensors, and parsed it takes much more memory.
LONGEST_HEAD = 25_000_000
_BITS = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "I64": 64,
    "I32": 32,
    "I16": 16,
    "I8": 8,
    "U64": 64,
    "U32": 32,
    "U16": 16,
    "U8": 8,
    "BOOL": 8,
}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of the file by name. Raises BadWeights for anything that is not whole and well-formed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(LONGEST_HEAD, size - 8):
            raise _bad(path, "it does not begin as a safetensors file does")
        head = file.read(length)
    try:
        found = json.loads(head)
    except (ValueError, RecursionError):
        raise _bad(path, "its head is not JSON") from None
    if not isinstance(found, dict):
        raise _bad(path, "its head is not an object")
    found.pop("__metadata__", None)
    spans: list[tuple[int, int]] = []
    tensors = {name: _tensor(path, name, told, spans) for name, told in found.items()}
    end = 0
    for begin, after in sorted(spans):
        if begin != end:
            raise _bad(path, "its tensors overlap or leave holes")
        end = after
    if end != size - 8 - length:
        raise _bad(path, f"it has {size:,} bytes where its head speaks of {end + 8 + length:,}")
    return tensors


def _tensor(path: Path, name: str, told: Any, spans: list[tuple[int, int]]) -> Tensor:
    described: dict[str, Any] = told if isinstance(told, dict) else {}
    shape: Any = described.get("shape")
    offsets: Any = described.get("data_offsets")
    dtype = described.get("dtype")
    if (
        not isinstance(dtype, str)
        or dtype not in _BITS
        or not _sizes(shape)
        or not _sizes(offsets)
        or len(offsets) != 2
    ):
        raise _bad(path, f"its tensor {name[:80]!r} is not described as it should be")
    tensor = Tensor(dtype, tuple(shape))
    if offsets[1] - offsets[0] != tensor.count * _BITS[dtype] // 8:
        raise _bad(path, f"its tensor {name[:80]!r} has not as many bytes as its shape needs")
    spans.append((offsets[0], offsets[1]))
    return tensor


def _sizes(found: Any) -> bool:
    return (
        isinstance(found, list)
        and len(found) <= 8
        and all(
            isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**50 for value in found
        )
    )


def _bad(path: Path, why: str) -> BadWeights:
    return BadWeights(f"{os.path.basename(path)} is not a safetensors file that can be used: {why}.")
