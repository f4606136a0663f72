"""Whether the disk has room for what a training will write, asked before it begins."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages

from apps.training.models import FineTuningJob
from apps.training.running.checkpoints import usable_checkpoints
from apps.training.running.errors import JobFailure
from apps.training.trainer.memory import disk_need, lora_parameters, shape_of_config
from apps.training.trainer.settings import read_settings

FREE_ROOM = (
    "Free room on the worker's disk, or give it a larger one.",
    "Lower “Checkpoints kept”: each takes what is trained, and twice as much again for the optimiser.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A disk that a training writes to. `copies`: how many times what it keeps; `holds_store`: whether the
    kept checkpoints lie there, those of earlier attempts too."""

    name: str
    folder: Path
    copies: int
    holds_store: bool

    @property
    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free


def disk_check(job: FineTuningJob, chosen: dict[str, Any], base_folder: Path) -> None:
    """Raises JobFailure where the training does not fit; does not ask for a base whose shape is unknown."""
    need = need_of(job, chosen, base_folder)
    if need is None:
        return
    kept = sum(row.size_bytes for row in usable_checkpoints(job))
    for place in places():
        wanted = need * place.copies - (min(kept, need) if place.holds_store else 0)
        if wanted > (free := place.free_bytes):
            raise JobFailure(
                "disk",
                f"The training will write up to {gigabytes(wanted)} into {place.name}, where "
                f"{gigabytes(free)} are free.",
                FREE_ROOM,
            )


def need_of(job: FineTuningJob, chosen: dict[str, Any], base_folder: Path) -> int | None:
    """Bytes of one copy at most; None where the base does not say its shape."""
    try:
        config = json.loads((base_folder / "config.json").read_text(encoding="utf-8"))
        parameters = job.base_version.parameters if job.base_version else 0
        shape = shape_of_config(config, parameters or None)
    except (OSError, ValueError):
        return None
    found = read_settings(chosen, method=job.method, technique=job.technique)
    whole = job.technique == FineTuningJob.Technique.FULL
    trained = shape.parameters if whole else lora_parameters(shape, found.lora_r, found.lora_targets)
    return disk_need(
        parameters=shape.parameters,
        trained_parameters=trained,
        technique=job.technique,
        keep_checkpoints=found.keep_checkpoints,
    )


def places() -> list[Place]:
    """The trainer's own folder first, and the file store where it is a disk too; on one disk both count."""
    work: Path = settings.STACK.training
    work.mkdir(parents=True, exist_ok=True)
    if not _is_on_disk():
        return [Place("the trainer's folder", work, 1, holds_store=False)]
    store = _there(Path(settings.MEDIA_ROOT))
    if store.stat().st_dev == work.stat().st_dev:
        return [Place("the data folder", work, 2, holds_store=True)]
    return [
        Place("the trainer's folder", work, 1, holds_store=False),
        Place("the file store", store, 1, holds_store=True),
    ]


def _there(folder: Path) -> Path:
    """A file store's folder is made with its first file; until then its disk is that of the one above."""
    return next(path for path in (folder, *folder.absolute().parents) if path.is_dir())


def _is_on_disk() -> bool:
    return isinstance(storages["default"], FileSystemStorage)


def disk_full(error: Exception) -> JobFailure | None:
    """The failure that an error of writing means; None where it is another one."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return JobFailure("disk", "The disk of the worker, or of the file store, is full.", FREE_ROOM)


def gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
