"""What a training leaves on the disk: checkpoints to go on from, and the final weights."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

FINAL_FOLDER = "final"
#: A pickle, which nobody needs, and cards that name folders of this machine.
_UNWANTED = ("training_args.bin", "README.md")


def finish_folder(folder: Path, base_name: str) -> None:
    """Leave out what is not to be kept, and bring every file to the disk."""
    for name in _UNWANTED:
        (folder / name).unlink(missing_ok=True)
    _name_base(folder / "adapter_config.json", base_name)
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)
    _sync(folder)
    _sync(folder.parent)


def save_final(trainer: Any, output: Path, base_name: str) -> Path:
    """Adapter or model with its tokenizer, written aside and renamed: there is all of it or none."""
    final, aside = output / FINAL_FOLDER, output / f".{FINAL_FOLDER}"
    for folder in (aside, final):
        if folder.exists():
            shutil.rmtree(folder)
    trainer.save_model(str(aside))
    finish_folder(aside, base_name)
    aside.rename(final)
    _sync(output)
    return final


def checkpoint_folder(output: Path, step: int) -> Path:
    return output / f"checkpoint-{step}"


def _name_base(path: Path, base_name: str) -> None:
    """PEFT writes down where the base lay on this machine; the registry knows better."""
    if not path.is_file():
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base_name
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
