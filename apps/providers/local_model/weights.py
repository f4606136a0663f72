"""Weights on this machine, each file checked against its hash before anything is loaded from it.

What lies in the file store is copied once into the model cache, into a folder named by its fingerprint:
beside its final place, under a file lock, and renamed when it is whole. A folder of the operator's own is
used where it lies; its files are hashed anew whenever their size or time of change is another.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage

from apps.providers.local_model.folder import LocalModelUnavailable, model_folder

log = logging.getLogger(__name__)

#: Kinds of places.
EMBEDDED, FOLDER, STORED = "embedded", "folder", "stored"
_PIECE = 1 << 20
#: Bytes that stay free beside what is fetched.
_SPARE_BYTES = 200_000_000
#: Cached weights that were not fetched for so long may be deleted when the disk is full.
_UNUSED_AFTER_S = 24 * 3600
#: What libraries look for in a model's folder by itself, whether somebody names it or not.
_READ = re.compile(
    r"model\.safetensors(\.index\.json)?|chat_template\.(jinja|json)|(adapter_|generation_)?config\.json|"
    r"(tokenizer|special_tokens|added_tokens|vocab|merges)[A-Za-z0-9._-]*\.(json|txt|model|jinja)"
)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class WeightsUnavailable(LocalModelUnavailable):
    """Weights are not there, or are not what was registered; the text says which file, and what to do."""


def fingerprint_of(hashes: Mapping[str, str]) -> str:
    """SHA-256 (hex) over paths and SHA-256 hashes of all files: the same weights have the same one."""
    lines = "".join(f"{path}\0{hashes[path]}\n" for path in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(place: Mapping[str, Any], fingerprint: str) -> Path:
    """The folder on this machine that holds what `place` names (see `ModelWeights`), checked.

    The embedded model is converted where it never was. Raises LocalModelUnavailable, of which
    WeightsUnavailable says that files are missing, are not what was registered, or do not fit on the disk.
    """
    kind = place["kind"]
    if kind == EMBEDDED:
        return model_folder(settings.STACK.models).path
    if kind == FOLDER:
        return _own_folder(place["name"], place.get("files") or {}, fingerprint)
    if kind == STORED:
        return _stored(place["files"], fingerprint)
    raise WeightsUnavailable(f"There is no such place of weights: {kind}.")


def base_folder(name: str) -> Path:
    """A folder below the folder of base models, by its name there. Raises WeightsUnavailable."""
    root: Path = settings.BASE_MODELS_DIR
    if not _is_inside(name):
        raise WeightsUnavailable(f"{name} is no name of a folder below the folder of base models.")
    folder = root / name
    if not folder.is_dir():
        raise WeightsUnavailable(
            f"The base model {name} is not on this machine: put its folder into the folder of base models, "
            "or set LLMOPS_BASE_MODELS_DIR to where it is."
        )
    return folder


def _is_inside(path: str) -> bool:
    """True for a relative path that stays below where it is put."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\x00" not in path


def _own_folder(name: str, files: Mapping[str, Mapping[str, Any]], fingerprint: str) -> Path:
    folder = base_folder(name)
    added = sorted(path.name for path in folder.iterdir() if _READ.fullmatch(path.name))
    if strange := [path for path in added if path not in files]:
        raise WeightsUnavailable(
            f"{name}/{strange[0]} was not there when the folder was registered, and would be loaded with it: "
            "take it away, or register the folder as it is now as a new base."
        )
    seen = _seen(folder, files)
    note = settings.STACK.model_cache / "checked" / f"{fingerprint}.json"
    if note.is_file() and note.read_text(encoding="utf-8") == seen:
        return folder
    for path, file in files.items():
        if (folder / path).stat().st_size != file["size"] or file_hash(folder / path) != file["sha256"]:
            raise WeightsUnavailable(
                f"{name}/{path} is not the file that was registered: put that one back, or register the "
                "folder as it is now as a new base."
            )
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_whole(note, seen)
    return folder


def _seen(folder: Path, files: Iterable[str]) -> str:
    """What the file system says about the files; another text when one of them was changed."""
    found: list[object] = [str(folder)]
    for path in sorted(files):
        try:
            stat = (folder / path).stat() if _is_inside(path) else None
        except OSError:
            stat = None
        if stat is None:
            raise WeightsUnavailable(f"{folder.name}/{path} is missing: put the file back.")
        found.append([path, stat.st_size, stat.st_mtime_ns, stat.st_ino])
    return json.dumps(found)


def _write_whole(target: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, target)


def _stored(files: Mapping[str, Mapping[str, Any]], fingerprint: str) -> Path:
    if not fingerprint or not fingerprint.isalnum():
        raise WeightsUnavailable("These weights have no fingerprint: register them again.")
    cache: Path = settings.STACK.model_cache
    target = cache / fingerprint
    if not target.is_dir():
        from filelock import FileLock

        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(cache / f".{fingerprint}.lock"):
            if not target.is_dir():
                _copy_into(target, files)
    os.utime(target)  # when it was last used, for who clears the cache
    return target


def _copy_into(target: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    _check_room(target.parent, sum(int(file["size"]) for file in files.values()))
    for leftover in target.parent.glob(f".{target.name}-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for path, file in files.items():
            _copy(path, file, draft)
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    log.info("%d files of the weights %s were fetched.", len(files), target.name[:12])


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        _clear_unused(folder, size + _SPARE_BYTES)
        free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise WeightsUnavailable(
            f"Fetching these weights needs {(size + _SPARE_BYTES) // 1_000_000} MB in the data folder; "
            f"{free // 1_000_000} MB are free."
        )


def _clear_unused(cache: Path, wanted: int) -> None:
    """Delete cached weights that nobody fetched for a day, the longest unused first, until there is room."""
    fetched = [path for path in cache.iterdir() if path.is_dir() and _FINGERPRINT.fullmatch(path.name)]
    for path in sorted(fetched, key=lambda path: path.stat().st_mtime):
        unused_s = time.time() - path.stat().st_mtime
        if unused_s < _UNUSED_AFTER_S or shutil.disk_usage(cache).free >= wanted:
            return
        shutil.rmtree(path, ignore_errors=True)
        log.info("The weights %s were unused, and made room.", path.name[:12])


def _copy(path: str, file: Mapping[str, Any], draft: Path) -> None:
    if not _is_inside(path):
        raise WeightsUnavailable(f"{path} is no path of a file of weights.")
    copy = draft / path
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        sha256 = copy_from_store(file["stored_as"], copy)
    except FileNotFoundError:
        raise WeightsUnavailable(f"The file store has no {file['stored_as']} any more.") from None
    if sha256 != file["sha256"]:
        raise WeightsUnavailable(
            f"{file['stored_as']} in the file store is not the file that was registered; nothing was loaded. "
            "Bring it back from a backup."
        )


def copy_from_store(name: str, target: Path) -> str:
    """Copy a file of the file store to `target`; its SHA-256, hex. Raises FileNotFoundError."""
    digest = hashlib.sha256()
    with default_storage.open(name, "rb") as source, target.open("wb") as into:
        while piece := source.read(_PIECE):
            digest.update(piece)
            into.write(piece)
        into.flush()
        os.fsync(into.fileno())
    return digest.hexdigest()
