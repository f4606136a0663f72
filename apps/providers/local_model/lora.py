"""Which adapters can be switched on and off on a base that others use at the same time.

Plain: reads an adapter's configuration, loads nothing. LoRA computes beside the layers of its base, and off
it is as if it were not there. What changes the base itself, or brings whole layers of its own, cannot share
one: merged with its base it is a whole model, and is served as that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What shapes a LoRA layer; nothing else of the file is handed to PEFT.
SHAPING = (
    "r",
    "lora_alpha",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "use_dora",
    "fan_in_fan_out",
    "lora_bias",
)
#: Set, each of these means more than layers beside those of the base; `modules_to_save` does too.
MORE = (
    "trainable_token_indices",
    "layer_replication",
    "target_parameters",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "use_bdlora",
    "use_qalora",
    "velora_config",
    "monteclora_config",
)
#: Beginnings that leave the base as it is; the others move part of it into the adapter.
PLAIN_BEGINNINGS = (None, True, False, "gaussian", "eva", "orthogonal")


def why_not_switched(config: Mapping[str, Any]) -> str:
    """Why an adapter of this adapter_config.json cannot be switched on a shared base; "" when it can."""
    kind = str(config.get("peft_type", ""))
    if kind.upper() != "LORA":
        return f"It is an adapter of the kind {kind or 'unknown'}; LoRA adapters are served."
    if config.get("bias", "none") != "none":
        return "It trains biases of its base; merge it, and the whole model is served."
    if more := [name for name in ("modules_to_save", *MORE) if config.get(name)]:
        return f"It uses {more[0]}, which is more than LoRA layers; merge it, and the whole model is served."
    beginning = config.get("init_lora_weights", True)
    if beginning not in PLAIN_BEGINNINGS:
        return f"It began as {beginning}, which changes its base; merge it, and the whole model is served."
    return ""


def shape_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a LoraConfig that serves such an adapter: no dropout, weights to be filled in."""
    return {name: config[name] for name in SHAPING if config.get(name) is not None} | {
        "bias": "none",
        "lora_dropout": 0.0,
        "init_lora_weights": True,
        "inference_mode": True,
    }
