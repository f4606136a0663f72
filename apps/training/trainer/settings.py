"""The settings of a training, read from the spec: named as in the catalogue of settings, with its kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from apps.training.trainer.spec import BadSpecError

#: What is taken where a setting is left out and depends on method and technique.
LEARNING_RATES = {
    ("sft", "lora"): 2e-4,
    ("dpo", "lora"): 5e-6,
    ("kto", "lora"): 5e-6,
    ("sft", "full"): 2e-5,
    ("dpo", "full"): 1e-6,
    ("kto", "full"): 1e-6,
}


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    learning_rate: float
    epochs: float = 3
    #: 0: by epochs.
    max_steps: int = 0
    batch_size: int = 4
    gradient_accumulation: int = 4
    max_length: int = 1024
    warmup_ratio: float = 0.05
    scheduler: str = "cosine"
    optimizer: str = "adamw_torch"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    lora_r: int = 16
    lora_alpha: float = 32
    lora_dropout: float = 0.05
    lora_targets: str = "all-linear"
    beta: float = 0.1
    dpo_loss: str = "sigmoid"
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0
    precision: str = "auto"
    gradient_checkpointing: str = "auto"
    four_bit: str = "auto"
    log_every: int = 1
    #: 0: at each checkpoint.
    eval_every: int = 0
    #: 0: at the end of each epoch.
    save_every: int = 0
    keep_checkpoints: int = 2
    #: Evaluations without a better loss before it stops; 0: never.
    early_stopping: int = 0


def read_settings(found: Mapping[str, Any], *, method: str, technique: str) -> TrainingSettings:
    """Those of the spec over the defaults; names that only others read are passed over.

    Raises BadSpecError where a value is of the wrong kind.
    """
    values: dict[str, Any] = {"learning_rate": LEARNING_RATES[method, technique]}
    for field in fields(TrainingSettings):
        if found.get(field.name) is None:
            continue
        kind = {"int": int, "float": float, "str": str}[str(field.type)]
        try:
            values[field.name] = kind(found[field.name])
        except (TypeError, ValueError) as error:
            raise BadSpecError(f"The setting {field.name} cannot be read: “{found[field.name]}”.") from error
    if method == "kto" and values.get("batch_size", 2) < 2:
        values["batch_size"] = 2  # its reference point is estimated from the other rows of the batch
    return TrainingSettings(**values)
