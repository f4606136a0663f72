"""Files of a version in the file store: the data folder, or S3. Their rows are written after them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from apps.providers.local_model.weights import file_hash, fingerprint_of
from apps.training.models import ModelVersion
from apps.training.registry.adapters import cleaned_config
from apps.training.registry.folders import ADAPTER_CONFIG, CONFIG, FolderFacts, read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HashedFile:
    path: str
    sha256: str
    size_bytes: int
    stored_as: str = ""


@dataclass(frozen=True, slots=True)
class Hashed:
    """The files of a folder as they are to be kept; `replaced` holds those that are not kept as they lie."""

    folder: Path
    files: tuple[HashedFile, ...]
    replaced: dict[str, bytes]

    @property
    def fingerprint(self) -> str:
        return fingerprint_of({file.path: file.sha256 for file in self.files})

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def hash_as_it_lies(folder: Path, facts: FolderFacts) -> Hashed:
    files = tuple(
        HashedFile(name, file_hash(folder / name), (folder / name).stat().st_size) for name in facts.files
    )
    return Hashed(folder, files, {})


def hash_to_keep(folder: Path, facts: FolderFacts, *, base: str) -> Hashed:
    """With settings cleaned of paths of the machine and of all that is not needed to load the weights."""
    replaced: dict[str, bytes] = {}
    if ADAPTER_CONFIG in facts.files:
        replaced[ADAPTER_CONFIG] = cleaned_config(read_json(folder, ADAPTER_CONFIG), base=base)
    if CONFIG in facts.files:
        replaced |= _without_path(folder)
    files = tuple(
        HashedFile(name, hashlib.sha256(replaced[name]).hexdigest(), len(replaced[name]))
        if name in replaced
        else HashedFile(name, file_hash(folder / name), (folder / name).stat().st_size)
        for name in facts.files
    )
    return Hashed(folder, files, replaced)


def _without_path(folder: Path) -> dict[str, bytes]:
    config = read_json(folder, CONFIG)
    if "_name_or_path" not in config:
        return {}
    config.pop("_name_or_path")
    return {CONFIG: json.dumps(config, indent=2, sort_keys=True).encode() + b"\n"}


def store(hashed: Hashed, *, prefix: str) -> tuple[HashedFile, ...]:
    """Put the files under `prefix`; all of them or none."""
    stored: list[HashedFile] = []
    try:
        for file in hashed.files:
            name = f"{prefix}/{file.path}"
            if file.path in hashed.replaced:
                stored_as = default_storage.save(name, ContentFile(hashed.replaced[file.path]))
            else:
                with (hashed.folder / file.path).open("rb") as content:
                    stored_as = default_storage.save(name, File(content))
            stored.append(HashedFile(file.path, file.sha256, file.size_bytes, stored_as))
    except BaseException:
        remove(file.stored_as for file in stored)
        raise
    return tuple(stored)


def remove(names: Iterable[str]) -> None:
    """Delete files; one that cannot be deleted is logged, and stays."""
    for name in names:
        if not name:
            continue
        try:
            default_storage.delete(name)
        except Exception:  # whatever the store's client raises
            log.warning("%s could not be deleted from the file store", name, exc_info=True)


def place_of(version: ModelVersion) -> dict[str, Any]:
    """Where a version's weights are, as `providers.ModelWeights` writes it. One query."""
    if version.source == ModelVersion.Source.EMBEDDED:
        return {"kind": "embedded"}
    files = {
        file.path: {"sha256": file.sha256, "size": file.size_bytes, "stored_as": file.stored_as}
        for file in version.files.order_by("path")
    }
    if version.source == ModelVersion.Source.FOLDER:
        return {"kind": "folder", "name": version.location, "files": files}
    return {"kind": "stored", "files": files}
