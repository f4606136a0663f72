"""Checkpoints in the file store: kept before their row is written, checked before they are gone on from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from apps.providers.local_model.weights import copy_from_store
from apps.training.models import Checkpoint, FineTuningJob
from apps.training.running.claiming import Keeper, fenced
from apps.training.running.errors import CheckpointNotUsable
from apps.training.running.reading import Event


def checkpoint_store(job: FineTuningJob, event: Event, keeper: Keeper) -> Checkpoint | None:
    """Copy a checkpoint's files into the file store, then write its row; None where its folder is gone.

    Raises LeaseLost, OSError (the disk is full).
    """
    source, step = Path(str(event["folder"])), int(event["step"])
    # A name of its own for each try: files that a row names are never written over.
    folder = f"training/{job.pk}/checkpoint-{step}-{job.fence}-{job.attempt}"
    files: dict[str, dict[str, Any]] = {}
    try:
        for path in _files_of(source):
            keeper.check()
            name = path.relative_to(source).as_posix()
            files[name] = _keep(path, f"{folder}/{name}")
        if not files:
            return None
        row, replaced = _row_written(job, event, folder, files)
    except BaseException as error:  # no row names them: they would only take room
        if not isinstance(error, OperationalError | InterfaceError):  # then the row may be there after all
            with suppress(Exception):
                _remove(folder, files)
        if isinstance(error, FileNotFoundError):
            return None
        raise
    if replaced and replaced.folder != folder:
        _remove(replaced.folder, replaced.files)
    return row


def _row_written(
    job: FineTuningJob, event: Event, folder: str, files: dict[str, dict[str, Any]]
) -> tuple[Checkpoint, Checkpoint | None]:
    """The checkpoint's row, and the one of the same step that it replaces. Raises LeaseLost."""
    step = int(event["step"])
    with fenced(job):
        if event.get("best"):
            Checkpoint.objects.filter(job=job, trial=0).update(is_best=False)
        replaced = Checkpoint.objects.filter(job=job, trial=0, step=step).first()
        row, _ = Checkpoint.objects.update_or_create(
            job=job,
            trial=0,
            step=step,
            defaults={
                "attempt": job.attempt,
                "files": files,
                "folder": folder,
                "size_bytes": sum(file["size"] for file in files.values()),
                "metrics": event.get("metrics") or {},
                "is_best": bool(event.get("best")),
                "pruned_at": None,
            },
        )
    return row, replaced


def _files_of(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(str(folder))
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _keep(path: Path, name: str) -> dict[str, Any]:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size = opened.tell()
        opened.seek(0)
        if default_storage.exists(name):  # of this claim's own earlier try
            default_storage.delete(name)
        stored = default_storage.save(name, File(opened, name=path.name))
    if stored != name:
        default_storage.delete(stored)
        raise OSError(f"the file store keeps {path.name} under another name")
    return {"sha256": digest, "size": size}


def usable_checkpoints(job: FineTuningJob) -> list[Checkpoint]:
    """What the training itself can be gone on from, newest first."""
    kept = Checkpoint.objects.filter(job=job, trial=0, pruned_at=None)
    return list(kept.order_by("-step"))


def checkpoint_fetch(checkpoint: Checkpoint, folder: Path) -> Path:
    """Copy a checkpoint's files from the file store into `folder`, each checked against its hash.

    Raises CheckpointNotUsable where one is missing or was changed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for name, file in checkpoint.files.items():
            _fetch(checkpoint, name, file["sha256"], folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a checkpoint is none
        raise
    return folder


def _fetch(checkpoint: Checkpoint, name: str, sha256: str, folder: Path) -> None:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise CheckpointNotUsable(f"The checkpoint of step {checkpoint.step} names a file outside of it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        digest = copy_from_store(f"{checkpoint.folder}/{name}", target)
    except FileNotFoundError:
        raise CheckpointNotUsable(
            f"The checkpoint of step {checkpoint.step} lacks {name} in the file store."
        ) from None
    if digest != sha256:
        raise CheckpointNotUsable(
            f"{name} of the checkpoint of step {checkpoint.step} was changed: its hash differs."
        )


def checkpoints_prune(job: FineTuningJob, *, keep: int) -> int:
    """Remove the files of all but the `keep` newest checkpoints and the best; how many went."""
    rows = usable_checkpoints(job)
    old = [row for row in rows[max(keep, 1) :] if not row.is_best]
    if not old:
        return 0
    with fenced(job):  # rows first: none may promise files that are gone
        Checkpoint.objects.filter(pk__in=[row.pk for row in old]).update(pruned_at=timezone.now())
    for row in old:
        _remove(row.folder, row.files)
    return len(old)


def local_copies_remove(job: FineTuningJob, output: Path) -> None:
    """Remove the trainer's own copies of checkpoints that were pruned: it keeps each one that it writes, and
    a long training would fill the worker's disk."""
    copies = {path.name.rpartition("-")[2]: path for path in output.glob("checkpoint-*") if path.is_dir()}
    steps = [int(step) for step in copies if step.isdecimal()]
    pruned = Checkpoint.objects.filter(job=job, trial=0, step__in=steps, pruned_at__isnull=False)
    for step in pruned.values_list("step", flat=True):
        shutil.rmtree(copies[str(step)], ignore_errors=True)


def strays_remove(job: FineTuningJob) -> None:
    """Remove what no row names: a worker was lost between writing files and writing their row."""
    named = {row.folder.rpartition("/")[2] for row in usable_checkpoints(job)}
    root = f"training/{job.pk}"
    try:
        folders, _ = default_storage.listdir(root)
    except FileNotFoundError:
        return
    for folder in folders:
        if folder not in named:
            _remove_tree(f"{root}/{folder}")


def _remove(folder: str, files: dict[str, dict[str, Any]]) -> None:
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    _remove_tree(folder)


def _remove_tree(folder: str) -> None:
    """A folder of the file store with all in it; a bucket has no folders, only names."""
    try:
        folders, files = default_storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    for name in folders:
        _remove_tree(f"{folder}/{name}")
    default_storage.delete(folder)
