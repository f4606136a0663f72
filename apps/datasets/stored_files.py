"""Uploaded files between their upload and their import, in the file store (the data folder, or S3)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage


def store_file(import_id: UUID, file: File[bytes]) -> str:
    """Keep the file under a name of ours; returns the name."""
    return default_storage.save(f"imports/{import_id}", file)


@contextmanager
def local_file(stored_as: str) -> Iterator[Path]:
    """The stored file as a local one: the file itself where the store is a folder, a copy where it is not.

    Raises FileNotFoundError.
    """
    try:
        path = Path(default_storage.path(stored_as))
    except NotImplementedError:
        with tempfile.NamedTemporaryFile(prefix="import-") as copy:
            with default_storage.open(stored_as, "rb") as file:
                shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            yield Path(copy.name)
        return
    if not path.exists():
        raise FileNotFoundError(stored_as)
    yield path


def remove_file(stored_as: str) -> None:
    if stored_as:
        default_storage.delete(stored_as)
