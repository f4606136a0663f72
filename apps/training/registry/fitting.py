"""Whether an adapter fits its base, by the shapes in the heads of their files. Plain Python.

LoRA adds B·A to a weight W of shape (out, in): A is (rank, in), B is (out, rank)
(Hu et al., "LoRA", 2021, section 4.1). Layers of some models keep W transposed (Conv1D of GPT-2).
"""

from __future__ import annotations

from apps.training.registry.folders import FolderFacts
from apps.training.registry.safetensors_header import Tensor

_BEFORE = "base_model.model."
#: It may be the embedding's weight, which is in the file once.
_TIED = "lm_head"


def fits(adapter: FolderFacts, base: FolderFacts) -> str:
    """Why the adapter does not fit; "" where it does."""
    for name, tensor in adapter.tensors.items():
        module, side = _module(name)
        if not side:
            continue
        weight = _weight(module, base)
        if weight is None:
            if module == _TIED:
                continue
            return f"the base has no {module}."
        if len(tensor.shape) != 2 or len(weight.shape) != 2:
            continue
        width = tensor.shape[1] if side == "A" else tensor.shape[0]
        if width not in weight.shape:
            shape = "×".join(map(str, weight.shape))
            return f"{module} is {shape} in the base, and {width} wide in the adapter."
    return ""


def _weight(module: str, base: FolderFacts) -> Tensor | None:
    """Files of some models (GPT-2, BLOOM) name their weights without the part that holds all layers."""
    return base.tensors.get(f"{module}.weight") or base.tensors.get(f"{module.partition('.')[2]}.weight")


def _module(name: str) -> tuple[str, str]:
    inner = name.removeprefix(_BEFORE)
    for side in ("A", "B"):
        if inner.endswith(f".lora_{side}.weight"):
            return inner.removesuffix(f".lora_{side}.weight"), side
    return "", ""
