"""LoRA's settings as PEFT writes them: which are taken, and what is kept of them. Plain Python.

A file of settings can ask PEFT for more than loading weights: patterns that never end, ways to begin that
take matrices apart, modules to import. So the registry keeps a file of its own with what LoRA needs.
"""

from __future__ import annotations

import json
import re
from typing import Any

from apps.providers.local_model.lora import MORE, PLAIN_BEGINNINGS

_MODULE = re.compile(r"[A-Za-z0-9_.]{1,200}")
_KEPT: dict[str, Any] = {
    "r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "target_modules": None,
    "bias": "none",
    "fan_in_fan_out": False,
    "use_rslora": False,
    "use_dora": False,
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
    "layers_to_transform": None,
}
#: Of LoRA's settings these shape its layers too, and are not kept: an adapter that has one is refused.
_NOT_KEPT = (*MORE, "lora_bias", "exclude_modules", "layers_pattern")


def adapter_problem(config: Any) -> str:
    """Why these settings cannot be used; "" when they can."""
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        return "only LoRA adapters of PEFT can be used."
    if config.get("task_type") not in ("CAUSAL_LM", None):
        return f"it was made for {str(config['task_type'])[:40]}, not for CAUSAL_LM."
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not _is_rank(rank):
        return "its rank (r) is not a number from 1 to 4096."
    if not _is_alpha(alpha):
        return "its lora_alpha is not a positive number."
    if not _modules(config.get("target_modules")) or not config["target_modules"]:
        return "target_modules must list the modules by name, not by a pattern."
    if config.get("modules_to_save") and not _modules(config["modules_to_save"]):
        return "modules_to_save must list modules by name."
    if config.get("bias", "none") not in ("none", "all", "lora_only"):
        return "its bias is not one of none, all, lora_only."
    for name in ("rank_pattern", "alpha_pattern"):
        found = config.get(name) or {}
        if not isinstance(found, dict) or not _modules(list(found)):
            return f"{name} must name modules, not patterns."
        if not all(
            _is_rank(value) if name == "rank_pattern" else _is_alpha(value) for value in found.values()
        ):
            return f"{name} must give each module a number as r and lora_alpha are."
    layers = config.get("layers_to_transform")
    if layers is not None and not (
        _is_layer(layers) or (isinstance(layers, list) and all(map(_is_layer, layers)))
    ):
        return "layers_to_transform must list layers by number."
    flags = ("fan_in_fan_out", "use_rslora", "use_dora")
    if wrong := [name for name in flags if not isinstance(config.get(name) or False, bool)]:
        return f"{wrong[0]} is neither true nor false."
    if not _is_share(config.get("lora_dropout") or 0.0):
        return "its lora_dropout is not a number from 0 to 1."
    if more := [name for name in _NOT_KEPT if config.get(name)]:
        return f"it uses {more[0]}, which is more than LoRA layers; merge it with its base and import that."
    if (beginning := config.get("init_lora_weights", True)) not in PLAIN_BEGINNINGS:
        return f"it began as {str(beginning)[:40]}, which changes its base; merge the two and import that."
    return ""


def _is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096


def _is_alpha(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100_000


def _is_layer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def _modules(found: Any) -> bool:
    return isinstance(found, list) and all(
        isinstance(name, str) and _MODULE.fullmatch(name) for name in found
    )


def cleaned_config(config: dict[str, Any], *, base: str) -> bytes:
    """The settings that are kept, with the base's name in place of whatever path it had."""
    kept = {name: config.get(name, default) for name, default in _KEPT.items()}
    kept["rank_pattern"], kept["alpha_pattern"] = kept["rank_pattern"] or {}, kept["alpha_pattern"] or {}
    kept["target_modules"] = sorted(kept["target_modules"])
    whole = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        **kept,
    }
    return json.dumps(whole, indent=2, sort_keys=True).encode() + b"\n"
