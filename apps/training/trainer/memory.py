"""How much memory a training needs, from the shape of the model and the settings. Pure arithmetic.

Counted: weights, gradients and AdamW's two moments of what is trained, the activations kept for the backward
pass, the reference model where there is one, one chunk of logits, and what the process holds besides. The
activations follow Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer Models",
section 4) for attention that never writes its matrix down, with the middle layer's real width (SwiGLU keeps
four tensors of it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BYTES_OF = {"fp32": 4, "bf16": 2, "fp16": 2, "nf4": 0.5625}  # nf4 with a scale of float32 for 64 weights
#: Python with torch, transformers and datasets loaded; on a GPU its context and cuBLAS's workspace besides.
PROCESS_BYTES = 900_000_000
GPU_CONTEXT_BYTES = 700_000_000
#: The allocator holds more than it hands out.
FRAGMENTATION = 1.10
#: Tokens whose logits exist at once (TRL computes log-probabilities in chunks).
LOGITS_CHUNK = 256


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Of a decoder: all that the estimates ask for."""

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int = 1
    key_value_heads: int = 1
    context_window: int = 0

    @property
    def key_value_width(self) -> int:
        return self.hidden * self.key_value_heads // max(1, self.heads)


def shape_of_config(config: Mapping[str, Any], parameters: int | None = None) -> ModelShape:
    """Of a model's config.json; the parameters are counted from the shape where nobody counted them.

    Raises ValueError for a config that does not name layers and hidden size.
    """
    config = config.get("text_config") or config
    layers = _first(config, "num_hidden_layers", "n_layer", "num_layers")
    hidden = _first(config, "hidden_size", "n_embd", "d_model")
    if not layers or not hidden:
        raise ValueError("config.json of the base names neither its layers nor its hidden size.")
    intermediate = _first(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    vocabulary = _first(config, "vocab_size") or 32_000
    heads = _first(config, "num_attention_heads", "n_head") or 1
    key_value_heads = _first(config, "num_key_value_heads") or heads
    if parameters is None:
        attention = 2 * hidden * hidden + 2 * hidden * (hidden * key_value_heads // heads)
        embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings", True) else 2)
        parameters = layers * (attention + 3 * hidden * intermediate + 2 * hidden) + embeddings + hidden
    return ModelShape(
        parameters=parameters,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        vocabulary=vocabulary,
        heads=heads,
        key_value_heads=key_value_heads,
        context_window=_first(config, "max_position_embeddings", "n_positions") or 0,
    )


def lora_parameters(shape: ModelShape, rank: int, targets: str = "all-linear") -> int:
    """Weights of an adapter: rank · (inputs + outputs) of each matrix it stands beside."""
    hidden, key_value, middle = shape.hidden, shape.key_value_width, shape.intermediate
    attention = 2 * (hidden + hidden) + 2 * (hidden + key_value)
    mlp = 3 * (hidden + middle) if targets == "all-linear" else 0
    return shape.layers * rank * (attention + mlp)


def memory_need(
    *,
    parameters: int,
    trained_parameters: int,
    technique: str,
    batch: int,
    length: int,
    dtype: str = "fp32",
    checkpointing: bool = False,
    method: str = "sft",
    four_bit: bool = False,
    on_gpu: bool = False,
    optimizer: str = "adamw_torch",
    shape: ModelShape | None = None,
) -> int:
    """Bytes at the peak of a step: of the device's memory on a GPU, of the process's on a CPU.

    `length` is the longest row in tokens (at most max_length), `dtype` "fp32" or "bf16". Without a `shape`
    that of a usual decoder of so many parameters is taken.
    """
    shape = shape or usual_shape(parameters)
    base_dtype = "nf4" if four_bit else dtype if technique == "lora" else "fp32"
    weights = parameters * BYTES_OF[base_dtype]
    # Adapters and gradients are float32, 4 bytes each; all weights of a model are counted above already.
    trained = trained_parameters * ((8 if technique == "lora" else 4) + moment_bytes(optimizer))
    reference = parameters * BYTES_OF[dtype] if technique == "full" and method in ("dpo", "kto") else 0
    rows = batch * 2 if method == "dpo" else batch  # chosen and rejected go through together
    activations = _activation_bytes(shape, rows * length, BYTES_OF[dtype], checkpointing)
    if method == "kto":
        activations *= (
            1.15  # the passes of the reference and of the mismatched answers keep nothing, but one layer
        )
    logits = min(rows * length, LOGITS_CHUNK) * shape.vocabulary * 4 * 3
    besides = GPU_CONTEXT_BYTES if on_gpu else PROCESS_BYTES
    return math.ceil((weights + trained + reference + activations + logits) * FRAGMENTATION) + besides


def checkpointing_needed(*, available_bytes: int, **need: Any) -> bool:
    """Whether the training fits only when activations are computed anew: that costs a third of the time."""
    return memory_need(**need, checkpointing=False) > available_bytes * 0.9


def moment_bytes(optimizer: str) -> float:
    """What an optimizer keeps of each trained weight: AdamW two float32, Adafactor a row and a column."""
    return 0.1 if optimizer == "adafactor" else 0.0 if optimizer == "sgd" else 8.0


def disk_need(*, parameters: int, trained_parameters: int, technique: str, keep_checkpoints: int) -> int:
    """Bytes in the run's folder at most: the kept checkpoints, one being written, and the final weights."""
    weights = (trained_parameters if technique == "lora" else parameters) * 4
    moments = trained_parameters * 8
    checkpoint = weights + moments + 8_000_000  # tokenizer, states, card
    return math.ceil((max(1, keep_checkpoints) + 2) * checkpoint + weights + 16_000_000)


def usual_shape(parameters: int) -> ModelShape:
    """Of a decoder of so many parameters: depth and width grow together (1 : 128), 32,000 tokens."""
    hidden = max(32, round((parameters / 12 * 128) ** (1 / 3) / 32) * 32)
    layers = max(2, round(hidden / 128))
    return ModelShape(parameters, layers, hidden, round(hidden * 2.7), 32_000, max(1, hidden // 64), 1)


def _activation_bytes(shape: ModelShape, tokens: int, element: float, checkpointing: bool) -> float:
    """Kept for the backward pass: of each layer ten tensors of its width, four of its middle's."""
    layer = 10 * shape.hidden + 4 * shape.intermediate
    kept = shape.hidden * shape.layers + layer if checkpointing else layer * shape.layers
    return tokens * kept * element


def _first(config: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0
