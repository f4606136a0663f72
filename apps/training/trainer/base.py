"""The base of a training: its folder checked, its tokenizer and weights loaded, its adapter described.

Weights come from safetensors alone, and code of a model's own is never run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from apps.training.trainer.devices import Choice, DeviceFacts
from apps.training.trainer.failures import BaseModelError
from apps.training.trainer.memory import ModelShape, shape_of_config
from apps.training.trainer.settings import TrainingSettings

#: The projections of attention, by the names that model families give them.
ATTENTION_LAYERS = frozenset(
    (
        *("q_proj", "k_proj", "v_proj", "o_proj", "out_proj"),
        *("qkv_proj", "query_key_value", "c_attn", "Wqkv", "wqkv", "wo"),
    )
)


def base_shape(folder: Path) -> ModelShape:
    """From the folder's files alone; parameters as the headers of its weights count them."""
    if not list(folder.glob("*.safetensors")):
        raise BaseModelError("The base has no weights as safetensors; other formats are not loaded.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return shape_of_config(config, parameters=_parameters(folder) or None)
    except (OSError, ValueError) as error:
        raise BaseModelError(f"config.json of the base cannot be read: {error}") from error


def _parameters(folder: Path) -> int:
    from safetensors import safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  (no mapping)
                size = 1
                for extent in weights.get_slice(name).get_shape():
                    size *= extent
                count += size
    return count


def load_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise BaseModelError(f"The tokenizer of the base cannot be loaded: {error}") from error
    if not tokenizer.chat_template:
        raise BaseModelError(
            "The base has no chat template: it was not made for conversations. Choose an instruct model."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, *, technique: str, choice: Choice, facts: DeviceFacts) -> Any:
    """In float32 where all its weights are trained (under autocast), else in the training's own format."""
    import torch

    from apps.providers.whole_model import whole_model

    dtype = torch.bfloat16 if choice.dtype == "bf16" and technique == "lora" else torch.float32
    more: dict[str, Any] = {}
    if facts.on_gpu:
        more["device_map"] = "auto" if choice.spread else {"": torch.cuda.current_device()}
    if choice.four_bit:
        more["quantization_config"] = _four_bits(choice)
    try:
        return whole_model(folder, dtype=dtype, **more)
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise BaseModelError(f"The base cannot be loaded: {error}") from error


def _four_bits(choice: Choice) -> Any:
    """QLoRA's format (Dettmers et al. 2023): NF4, its scales quantised again."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if choice.dtype == "bf16" else torch.float32,
    )


def adapter_config(model: Any, settings: TrainingSettings) -> tuple[Any, str]:
    """PEFT's description of the adapter, and a note where the targets asked for are not there."""
    from peft import LoraConfig

    note = ""
    targets: str | list[str] = "all-linear"
    if settings.lora_targets == "attention":
        found = sorted({name.rpartition(".")[2] for name, _ in model.named_modules()} & ATTENTION_LAYERS)
        targets = found or targets
        if not found:
            note = "The base names its attention layers otherwise: the adapter sits on all linear layers."
    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # a scale; it need not be whole
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
        bias="none",
    )
    return config, note
