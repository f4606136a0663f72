"""A version as a zip that other tools load: its folder with the card as README.md, streamed from the store.

The files are not compressed: weights do not shrink, and the archive is as quick as the store.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import IO, cast

from django.core.files.storage import default_storage
from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.training.models import ModelState, ModelVersion
from apps.training.registry.cards import card_markdown
from apps.training.registry.errors import WrongState

_PIECE = 1 << 20
#: Zip's own first day: the same version is the same archive.
_TIME = (1980, 1, 1, 0, 0, 0)


class _Gathered:
    """A file that is only written to; what was written is drawn from it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""

    def seekable(self) -> bool:
        return False

    def drawn(self) -> bytes:
        pieces, self._pieces = b"".join(self._pieces), []
        return pieces


def export_begin(*, version: ModelVersion, by: Actor) -> Iterator[bytes]:
    """The archive in pieces of about a megabyte. Raises WrongState where there are no files to give."""
    if version.state.state == ModelState.State.DELETED:
        raise WrongState(f"{version.full_name} was deleted; its files are gone.")
    files = list(version.files.order_by("path").values_list("path", "stored_as", "size_bytes", "sha256"))
    if not files or not all(stored_as for _, stored_as, _, _ in files):
        raise WrongState(
            f"The files of {version.full_name} are not in the registry: it is a base model in a folder, "
            "comes with the installation, or is hosted by its provider."
        )
    with transaction.atomic():
        audit(by, "model_version.export", version, project=version.project, after={"files": len(files)})
    sums = "".join(f"{sha256}  {path}\n" for path, _, _, sha256 in files)
    texts = {"README.md": card_markdown(version), "SHA256SUMS": sums}
    return _archive(version.full_name, [file[:3] for file in files], texts)


def _archive(folder: str, files: list[tuple[str, str, int]], texts: dict[str, str]) -> Iterator[bytes]:
    gathered = _Gathered()
    with zipfile.ZipFile(cast("IO[bytes]", gathered), "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, text in texts.items():
            archive.writestr(_entry(folder, name), text)
        for path, stored_as, size in files:
            entry = _entry(folder, path, size)
            with default_storage.open(stored_as, "rb") as source, archive.open(entry, "w") as into:
                while piece := source.read(_PIECE):
                    into.write(piece)
                    yield gathered.drawn()
            yield gathered.drawn()
    yield gathered.drawn()


def _entry(folder: str, name: str, size: int = 0) -> zipfile.ZipInfo:
    """With the size of a file that is written piece by piece, so that zip knows a long one beforehand."""
    entry = zipfile.ZipInfo(f"{folder}/{name}", _TIME)
    entry.external_attr = 0o100644 << 16
    entry.file_size = size
    return entry
