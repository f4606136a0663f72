"""What is in a model folder, found without loading it: plain Python over JSON and heads of safetensors.

Only these kinds of files are ever taken: safetensors, JSON, templates of chats, vocabularies, licence and
readme. A pickle (.bin, .pt, …) or code is left lying in a folder of our own and refused in an import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.training.registry.errors import BadWeights
from apps.training.registry.safetensors_header import FLOATS, Tensor, read_tensors

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")
_TAKEN = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken")
_TEXTS = ("LICENSE", "LICENSE.md", "LICENCE", "LICENCE.md", "NOTICE")
#: A trainer's own notes, which are no part of a model; readmes, since the registry writes its own card.
_LEFT = frozenset({"trainer_state.json", "all_results.json", "train_results.json", "eval_results.json"})
#: The longest tokenizers have some 40 MB; parsed, hostile JSON takes twenty times its length in memory.
_LONGEST_JSON = 64_000_000
_LARGEST_NUMBER = 2**31 - 1
MOST_FILES = 2_000


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """`kind` is "adapter" or "whole"; `parameters` counts the weights that are in the folder."""

    kind: str
    files: tuple[str, ...]
    parameters: int
    size_bytes: int
    #: {"class", "model_type", "layers", "hidden_size", "heads", "vocabulary", "context_window", "dtype"} of a
    #: whole model; {"rank", "alpha", "targets", "dtype"} of an adapter; what is not known is not there.
    architecture: dict[str, Any]
    licence: str = ""
    #: Of the weights, for fitting an adapter to its base.
    tensors: dict[str, Tensor] = field(default_factory=dict, repr=False)


def look_into(folder: Path) -> FolderFacts:
    """The facts of a model or adapter folder. Raises BadWeights, which says what is wrong with it."""
    if not folder.is_dir():
        raise BadWeights(f"There is no folder {folder.name!r}.")
    files = taken_files(folder)
    for name in files:
        if name.endswith(".json"):
            _no_code(name, read_json(folder, name))
    if ADAPTER_CONFIG in files:
        return _adapter(folder, [name for name in files if name not in (CONFIG, INDEX)])
    return _whole(folder, files)


def taken_files(folder: Path) -> list[str]:
    """Names of the files of the folder that belong to a model, in order."""
    found = sorted(path.name for path in folder.iterdir() if path.is_file())
    if len(found) > MOST_FILES:
        raise BadWeights(f"{folder.name} holds {len(found):,} files; a model has at most {MOST_FILES:,}.")
    return [
        name
        for name in found
        if _NAME.fullmatch(name) and name not in _LEFT and (name.endswith(_TAKEN) or name in _TEXTS)
    ]


def read_json(folder: Path, name: str) -> Any:
    path = folder / name
    if path.stat().st_size > _LONGEST_JSON:
        raise BadWeights(f"{name} is too long.")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise BadWeights(f"{name} is not JSON.") from None


def _no_code(name: str, found: Any) -> None:
    """`auto_map` names Python files that come with a model; such models are not run here."""
    if isinstance(found, dict) and (found.get("auto_map") or found.get("trust_remote_code")):
        raise BadWeights(
            f"{name} asks for code of its own (auto_map). Only models that the installed libraries know "
            "by themselves can be used."
        )


def _adapter(folder: Path, files: list[str]) -> FolderFacts:
    from apps.training.registry.adapters import adapter_problem

    config = read_json(folder, ADAPTER_CONFIG)
    if problem := adapter_problem(config):
        raise BadWeights(f"{ADAPTER_CONFIG}: {problem}")
    others = [name for name in files if name.endswith(".safetensors") and name != ADAPTER_WEIGHTS]
    if ADAPTER_WEIGHTS not in files:
        raise BadWeights(f"The adapter has no {ADAPTER_WEIGHTS}; pickled weights (.bin) are not taken.")
    tensors = read_tensors(folder / ADAPTER_WEIGHTS)
    strange = next((name for name in tensors if not name.startswith("base_model.model.")), None)
    if not tensors or strange is not None:
        raise BadWeights(
            f"{ADAPTER_WEIGHTS} holds no LoRA weights as PEFT writes them ({str(strange)[:80]})."
        )
    targets = config["target_modules"]
    return FolderFacts(
        kind="adapter",
        files=tuple(name for name in files if name not in others),
        parameters=sum(tensor.count for tensor in tensors.values()),
        size_bytes=_size(folder, [name for name in files if name not in others]),
        architecture={
            "rank": config["r"],
            "alpha": config["lora_alpha"],
            "targets": sorted(targets),
            "dtype": _dtype(tensors),
        },
        licence=licence_of(folder),
        tensors=tensors,
    )


def _whole(folder: Path, files: list[str]) -> FolderFacts:
    if CONFIG not in files:
        raise BadWeights(f"{folder.name} has no {CONFIG}: it is no model folder of transformers.")
    config = read_json(folder, CONFIG)
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise BadWeights(f"{CONFIG} does not name the type of the model.")
    shards = _shards(folder, files)
    tensors: dict[str, Tensor] = {}
    for name in shards:
        tensors |= read_tensors(folder / name)
    if "tokenizer.json" not in files and "tokenizer_config.json" not in files:
        raise BadWeights(f"{folder.name} has no tokenizer (tokenizer.json).")
    kept = [name for name in files if not name.endswith(".safetensors") or name in shards]
    return FolderFacts(
        kind="whole",
        files=tuple(kept),
        parameters=sum(tensor.count for tensor in tensors.values()),
        size_bytes=_size(folder, kept),
        architecture=_architecture(config, tensors),
        licence=licence_of(folder),
        tensors=tensors,
    )


def _shards(folder: Path, files: list[str]) -> list[str]:
    if INDEX not in files:
        if WEIGHTS not in files:
            raise BadWeights(
                f"{folder.name} has no weights in safetensors ({WEIGHTS}); pickled weights are not loaded."
            )
        return [WEIGHTS]
    index = read_json(folder, INDEX)
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        raise BadWeights(f"{INDEX} does not say which file holds which weights.")
    missing = sorted(set(named.values()) - set(files))
    if missing:
        raise BadWeights(f"{INDEX} names {missing[0][:120]!r}, which is not in the folder.")
    if WEIGHTS in files and WEIGHTS not in named.values():  # libraries differ in which of them they load
        raise BadWeights(
            f"{folder.name} holds its weights twice: {WEIGHTS}, and the files that {INDEX} names. Remove one "
            "of the two."
        )
    return sorted(set(named.values()))


def _architecture(config: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    inner = config.get("text_config")
    text: dict[str, Any] = inner if isinstance(inner, dict) else config
    classes = config.get("architectures")
    wanted = {
        "class": classes[0] if isinstance(classes, list) and classes else None,
        "model_type": config.get("model_type"),
        "layers": text.get("num_hidden_layers") or text.get("n_layer"),
        "hidden_size": text.get("hidden_size") or text.get("n_embd"),
        "intermediate_size": text.get("intermediate_size"),
        "heads": text.get("num_attention_heads") or text.get("n_head"),
        "vocabulary": text.get("vocab_size"),
        "context_window": text.get("max_position_embeddings") or text.get("n_positions"),
        "dtype": _dtype(tensors),
    }
    return {name: value for name, value in wanted.items() if _can_be_kept(value)}


def _can_be_kept(value: Any) -> bool:
    """What a file says of itself and the database takes."""
    if isinstance(value, str):
        return 0 < len(value) <= 120 and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_NUMBER


def _dtype(tensors: dict[str, Tensor]) -> str:
    """The type of most of the weights, as torch calls it."""
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.count
    most = max(counts, key=lambda name: counts[name], default="")
    words = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    return words.get(most, most.lower()) if most in FLOATS else most.lower()


def _size(folder: Path, names: Iterable[str]) -> int:
    return sum((folder / name).stat().st_size for name in names)


def licence_of(folder: Path) -> str:
    return "".join(char for char in _licence_said(folder) if char.isprintable())


def _licence_said(folder: Path) -> str:
    """As the head of its readme says ("license: apache-2.0"), or its licence's first line; "" if none."""
    readme = folder / "README.md"
    if readme.is_file():
        with readme.open(encoding="utf-8", errors="replace") as file:
            head = file.read(20_000)
        block = head.split("---")[1] if head.startswith("---") and head.count("---") > 1 else ""
        if found := re.search(r"^license:\s*['\"]?([\w.+ -]{1,80})", block, re.MULTILINE):
            return found[1].strip()
    for name in _TEXTS[:4]:
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8", errors="replace") as file:
                lines = (line.strip() for line in file.read(2_000).splitlines())
            return next((line for line in lines if line), "")[:120]
    return ""
