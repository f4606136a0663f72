"""The process that adds an adapter's weights to its base's; its order comes as JSON on standard input.

Weights are read from safetensors alone; nothing is fetched and no code of a model is run.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, cast


def main() -> None:
    _die_with_parent()
    order = json.load(sys.stdin)
    merge(Path(order["base"]), Path(order["adapter"]), Path(order["output"]))


def merge(base: Path, adapter: Path, output: Path) -> None:
    """Write base plus adapter as a whole model, in the base's own precision, with the adapter's tokenizer."""
    from apps.providers.torch_environment import prepare_for_torch

    prepare_for_torch()
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    from apps.providers.whole_model import whole_model

    model = whole_model(base, dtype="auto")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config.pop("peft_type", None)
    adapted = get_peft_model(model, LoraConfig(**{**config, "inference_mode": True}))
    weights = load_file(str(adapter / "adapter_model.safetensors"))
    told: Any = set_peft_model_state_dict(adapted, weights)
    if told.unexpected_keys:
        raise SystemExit(f"The adapter does not fit its base: {told.unexpected_keys[0]}")
    merged = cast(Any, adapted).merge_and_unload(safe_merge=True)
    merged.save_pretrained(output, safe_serialization=True)
    _copy_tokenizer(base, output)
    _copy_tokenizer(adapter, output)


def _copy_tokenizer(folder: Path, output: Path) -> None:
    for path in folder.iterdir():
        if _is_tokenizer(path.name) or path.name == "generation_config.json":
            shutil.copyfile(path, output / path.name)


def _is_tokenizer(name: str) -> bool:
    return name.startswith(
        ("tokenizer", "special_tokens", "added_tokens", "vocab", "merges")
    ) or name.endswith((".jinja", ".model", ".tiktoken"))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            sys.exit(1)


if __name__ == "__main__":
    main()
