"""Settings for a start: quick, balanced, thorough; by method, technique, size of the model, rows and device.

Learning rates start from TRL's own defaults (SFT 2e-5, DPO and KTO 1e-6, for all weights of models of
billions of parameters) and its LoRA guide (ten times those); small models bear and need more. Plain Python.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from apps.training.planning.advice import label_weights
from apps.training.planning.catalogue import defaults_for, settings_for
from apps.training.planning.setting import DPO, FULL, HOSTED, KTO, LORA, SFT, Value

QUICK, BALANCED, THOROUGH = "quick", "balanced", "thorough"
PRESETS = {
    QUICK: ("Quick", "Shows whether the data teaches anything: one epoch, at most 60 steps."),
    BALANCED: ("Balanced", "What to begin with: a few epochs, a checkpoint after each."),
    THOROUGH: ("Thorough", "More epochs and a larger adapter; ends when validation stops getting better."),
}
_SMALL, _LARGE = 1_000_000_000, 6_000_000_000
_QUICK_STEPS = 60
#: Rows below which a step takes fewer rows, so that there are steps enough.
_FEW_ROWS = 200
#: By method and technique, for models between the small and the large.
_RATES = {
    (SFT, LORA): 2e-4,
    (DPO, LORA): 2e-5,
    (KTO, LORA): 2e-5,
    (SFT, FULL): 2e-5,
    (DPO, FULL): 1e-6,
    (KTO, FULL): 1e-6,
}
#: What small models take instead: times this.
_SMALL_RATE = {SFT: 2.0, DPO: 2.5, KTO: 2.5}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a preset depends on. 0 where it is not known: parameters, rows, lengths in tokens."""

    method: str
    technique: str
    parameters: int = 0
    rows: int = 0
    validation_rows: int = 0
    #: The 99th percentile of rows, and what the model can read.
    long_row: int = 0
    context: int = 0
    good: int = 0
    bad: int = 0
    has_gpu: bool = False


def preset_settings(preset: str, situation: Situation) -> dict[str, Value]:
    """All settings of a training, by name."""
    settings = defaults_for(situation.method, situation.technique)
    wanted: dict[str, Value] = {**_learning(preset, situation), **_size(preset, situation)}
    if situation.method == KTO:
        wanted |= label_weights(situation.good, situation.bad)
    if situation.technique == HOSTED:
        wanted = {"epochs": wanted["epochs"], "learning_rate_multiplier": 0.0, "hosted_batch_size": 0}
    there = {setting.name for setting in settings_for(situation.method, situation.technique)}
    return settings | {name: value for name, value in wanted.items() if name in there}


def _learning(preset: str, situation: Situation) -> dict[str, Value]:
    rate = _RATES.get((situation.method, situation.technique), 2e-5)
    if situation.parameters and situation.parameters < _SMALL:
        rate *= _SMALL_RATE[situation.method]
    if situation.parameters > _LARGE:
        rate /= 2
    epochs = {QUICK: 1.0, BALANCED: 3.0, THOROUGH: 6.0}[preset]
    if situation.method in (DPO, KTO):
        epochs = {QUICK: 1.0, BALANCED: 2.0, THOROUGH: 4.0}[preset]
    return {
        "learning_rate": float(f"{rate:.2g}"),
        "epochs": epochs,
        "max_steps": _quick_steps(situation) if preset == QUICK else 0,
        "warmup_ratio": 0.1 if situation.method != SFT else 0.05,
        "early_stopping": 2 if preset == THOROUGH and situation.validation_rows else 0,
        "keep_checkpoints": 3 if preset == THOROUGH else 2,
    }


def _quick_steps(situation: Situation) -> int:
    """0 where one epoch is fewer steps anyway."""
    batch, accumulation = _batch(situation)
    steps = math.ceil(situation.rows / (batch * accumulation)) if situation.rows else _QUICK_STEPS + 1
    return _QUICK_STEPS if steps > _QUICK_STEPS else 0


def _size(preset: str, situation: Situation) -> dict[str, Value]:
    batch, accumulation = _batch(situation)
    rank = {QUICK: 8, BALANCED: 16, THOROUGH: 32}[preset]
    return {
        "batch_size": batch,
        "gradient_accumulation": accumulation,
        "max_length": _max_length(situation),
        "lora_r": rank,
        "lora_alpha": 2.0 * rank,
        "optimizer": "adafactor"
        if situation.technique == FULL and situation.parameters > _SMALL
        else "adamw_torch",
    }


def _batch(situation: Situation) -> tuple[int, int]:
    """Rows at a time, and batches a step: 16 rows a step, 8 where there are few. KTO needs two at a time."""
    a_step = 8 if situation.rows and situation.rows < _FEW_ROWS else 16
    batch = 4
    if situation.has_gpu:
        batch = 8 if situation.parameters <= _LARGE else 4
    if not situation.has_gpu and situation.parameters > _SMALL:
        batch = 2
    if situation.long_row > 1024:
        batch = max(2, batch // 2)
    return batch, max(1, a_step // batch)


def _max_length(situation: Situation) -> int:
    """All but the longest hundredth of rows fit, in steps of 128 tokens; 1024 where lengths are not known."""
    wanted = 1024 if not situation.long_row else max(256, -(-situation.long_row // 128) * 128)
    most = 4096 if situation.has_gpu else 2048
    return min(wanted, most, situation.context or most)
