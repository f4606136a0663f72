"""Models and adapters from their folders into memory. Safetensors only; code in a folder is never run.

Imports torch: for worker processes, on first use.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, inject_adapter_in_model, set_peft_model_state_dict
from peft.functional import delete_adapter
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from apps.providers.local_model.batching import BatchLimits
from apps.providers.local_model.lora import shape_of, why_not_switched
from apps.providers.local_model.requests import RequestReader
from apps.providers.whole_model import whole_model

#: Bytes of attention memory that a batch may take, and its rows.
CPU_MEMORY, CPU_ROWS = 755_000_000, 16
GPU_MEMORY, GPU_ROWS = 6_100_000_000, 128
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_DEFAULT_WINDOW = 2048


class CannotLoad(RuntimeError):
    """A folder that this process makes no model of; the text says why."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How one name speaks: its tokenizer and chat template, where an answer ends, how much fits a batch."""

    tokenizer: Any
    reader: RequestReader
    end_ids: frozenset[int]
    pad_id: int
    limits: BatchLimits


@dataclass(slots=True)
class LoadedModel:
    """A whole model in memory, and the adapters that were put beside its layers, by PEFT's names."""

    model: Any
    voice: Voice
    size_bytes: int
    active: str | None = None
    adapters: dict[str, Voice] = field(default_factory=dict)
    #: Those that adapters stand beside; others may join with the next adapter.
    layers: list[BaseTunerLayer] = field(default_factory=list, repr=False)

    def switch(self, adapter: str | None) -> Voice:
        """Have the model compute with this adapter alone, or with none; how it then speaks."""
        if adapter != self.active:
            for layer in self.layers:
                layer.enable_adapters(adapter is not None)
                if adapter is not None:
                    layer.set_adapter(adapter, inference_mode=True)
            self.active = adapter
        return self.adapters[adapter] if adapter is not None else self.voice

    def add(self, adapter: str, folder: Path) -> None:
        """Put an adapter beside the model's layers, switched off. Raises CannotLoad and leaves nothing."""
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        if trouble := why_not_switched(config):
            raise CannotLoad(trouble)
        self.switch(None)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", "Already found a `peft_config`"
                )  # others are on it: as meant
                inject_adapter_in_model(LoraConfig(**shape_of(config)), self.model, adapter)
            weights = load_file(folder / ADAPTER_WEIGHTS)
            result = set_peft_model_state_dict(self.model, weights, adapter_name=adapter)
            _check_all_there(result, adapter)
            self.adapters[adapter] = self.voice_of(folder)
        except (torch.OutOfMemoryError, MemoryError) as error:
            self.remove(adapter)
            raise MemoryError(str(error)) from error
        except Exception as error:  # whatever a library makes of settings that came from elsewhere
            self.remove(adapter)
            raise CannotLoad(f"It does not fit its base: {_first_line(error)}") from error
        finally:
            self.model.eval().requires_grad_(False)
            self._switch_off()

    def remove(self, adapter: str) -> None:
        """Take an adapter's weights out of memory; the model is left with none switched on."""
        for layer in _layers(self.model):
            layer.set_adapter([], inference_mode=True)
        delete_adapter(self.model, adapter, "lora_")
        getattr(self.model, "peft_config", {}).pop(adapter, None)
        self.adapters.pop(adapter, None)
        self._switch_off()

    def _switch_off(self) -> None:
        self.layers = _layers(self.model)
        for layer in self.layers:
            layer.enable_adapters(False)
        self.active = None

    def voice_of(self, folder: Path) -> Voice:
        """An adapter speaks as it was trained to: with its own tokenizer and template, where it has them."""
        if not (folder / "tokenizer.json").is_file():
            return self.voice
        return _voice(self.model, folder, self.voice.limits)


def load_model(folder: Path, *, window: int | None = None) -> LoadedModel:
    """The model of a folder, in bfloat16 on a GPU where there is one, else in float32.

    `window` (tokens) is read from the model's own configuration where it is not given. Raises CannotLoad,
    and MemoryError where there is no room for it.
    """
    transformers_logging.disable_progress_bar()
    if (folder / ADAPTER_CONFIG).is_file():
        raise CannotLoad("Its folder holds an adapter, not a whole model.")
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    try:
        model = whole_model(folder, dtype=dtype).to("cuda" if on_gpu else "cpu").eval().requires_grad_(False)
        voice = _voice(model, folder, limits_for(model.config, dtype.itemsize, on_gpu=on_gpu), window)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise MemoryError(str(error)) from error
    except Exception as error:  # whatever a library makes of settings that came from elsewhere
        raise CannotLoad(f"Its files make no model: {_first_line(error)}") from error
    return LoadedModel(model, voice, sum(p.numel() * p.element_size() for p in model.parameters()))


def load_merged(folder: Path, adapter: Path, *, window: int | None = None) -> LoadedModel:
    """A model of its own: that of `folder` merged with a LoRA adapter that changes more than it can share.

    Raises CannotLoad.
    """
    config = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    if str(config.get("peft_type", "")).upper() != "LORA" or not (adapter / ADAPTER_WEIGHTS).is_file():
        raise CannotLoad(why_not_switched(config) or f"It has no {ADAPTER_WEIGHTS}.")
    loaded = load_model(folder, window=window)
    try:
        adapted = PeftModel.from_pretrained(loaded.model, adapter, local_files_only=True)
        loaded.model = adapted.merge_and_unload().eval().requires_grad_(False)
        loaded.voice = loaded.voice_of(adapter)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise MemoryError(str(error)) from error
    except Exception as error:
        raise CannotLoad(f"It does not fit its base: {_first_line(error)}") from error
    return loaded


def size_in_memory(folder: Path) -> int:
    """Bytes that the weights of a folder will take, by the headers of its files."""
    bytes_each = 2 if torch.cuda.is_available() else 4
    return sum(_numbers_in(file) for file in folder.glob("*.safetensors")) * bytes_each


def _numbers_in(file: Path) -> int:
    """Numbers in a safetensors file: 8 bytes of length, then a JSON header that says each tensor's shape."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            numbers = 1
            for side in tensor["shape"]:
                numbers *= side
            total += numbers
    return total


def limits_for(config: Any, bytes_each: int, *, on_gpu: bool) -> BatchLimits:
    """How many rows and tokens a batch may have, so that its keys and values fit into the memory for them."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    a_token = 2 * text.num_hidden_layers * heads * width * bytes_each
    memory, rows = (GPU_MEMORY, GPU_ROWS) if on_gpu else (CPU_MEMORY, CPU_ROWS)
    return BatchLimits(rows=rows, tokens=max(1, memory // a_token))


def _voice(model: Any, folder: Path, limits: BatchLimits, window: int | None = None) -> Voice:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.chat_template:
        raise CannotLoad("It has no chat template, so it cannot be asked with messages.")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise CannotLoad("Its tokenizer has tokens that its model does not know.")
    ends = frozenset(_ids(tokenizer.eos_token_id)) | frozenset(_ids(model.generation_config.eos_token_id))
    if not ends:
        raise CannotLoad("It has no token that ends an answer.")
    pad = tokenizer.pad_token_id
    return Voice(
        tokenizer=tokenizer,
        reader=RequestReader(tokenizer, context_window=window or _window(model.config)),
        end_ids=ends,
        pad_id=min(ends) if pad is None else pad,
        limits=limits,
    )


def _window(config: Any) -> int:
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found else _DEFAULT_WINDOW


def _ids(value: int | Iterable[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else list(value)


def _layers(model: Any) -> list[BaseTunerLayer]:
    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]


def _check_all_there(result: Any, adapter: str) -> None:
    missing = [key for key in result.missing_keys if f".{adapter}." in f"{key}."]
    if missing or result.unexpected_keys:
        key = (missing or result.unexpected_keys)[0]
        raise ValueError(f"{'no weights for' if missing else 'weights without a place:'} {key}")


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
