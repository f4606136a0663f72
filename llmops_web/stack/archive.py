"""The backup file: a plain tar, written and read as a stream, every member checked by its sha256.

Members in order: `format.json`, `database.dump` (pg_dump's custom format), `secret_key` and `key_ring.json`
where the data folder has them, `files/…`, and `manifest.json` with the checksum of each. The manifest comes
last, so that a truncated file is noticed. Restoring takes nothing that is not on this list.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from llmops_web.stack.errors import StackError
from llmops_web.stack.preflight import check_disk

FORMAT = 1
DUMP, FILES, MANIFEST, FORMAT_MEMBER = "database.dump", "files", "manifest.json", "format.json"
KEYS = ("secret_key", "key_ring.json")
CHUNK = 1 << 20


class BadArchive(StackError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"This is no backup that can be restored: {reason}. Nothing was changed.")


class ArchiveWriter:
    """Adds members one by one; the file appears under its name when it is whole."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._checksums: dict[str, str] = {}

    def add_file(self, name: str, path: Path) -> bool:
        """False when the file has gone meanwhile: what the database no longer names may go at any time."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return False
        with source:
            self._add(name, source, os.fstat(source.fileno()).st_size)
        return True

    def add_json(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=1).encode()
        self._add(name, io.BytesIO(text), len(text))

    def close(self) -> None:
        self.add_json(MANIFEST, {"format": FORMAT, "sha256": dict(self._checksums)})

    def _add(self, name: str, source: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(datetime.now(UTC).timestamp())
        counted = _Hashing(source)
        self._archive.addfile(member, counted)
        self._checksums[name] = counted.hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            with tarfile.open(fileobj=handle, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                writer = ArchiveWriter(archive)
                writer.add_json(FORMAT_MEMBER, {"format": FORMAT, "made": datetime.now(UTC).isoformat()})
                yield writer
                writer.close()
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except OSError as error:
        raise StackError(f"Cannot write the backup to {path}: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> None:
    """Unpack a backup into an empty folder and check it. Raises BadArchive, TooLittleDisk."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, mode="r|") as archive:
            for position, member in enumerate(archive):
                _check_member(member, position, found)
                check_disk(folder, needed_mb=member.size // 1_000_000 + 1)
                source = archive.extractfile(member)
                if source is None:
                    raise BadArchive(f"{member.name!r} is no file")
                found[member.name] = _write(source, folder / member.name)
    except FileNotFoundError:
        raise BadArchive(f"there is no file {path}") from None
    except IsADirectoryError:
        raise BadArchive(f"{path} is a folder") from None
    except (tarfile.TarError, EOFError) as error:
        raise BadArchive(f"it is damaged ({error})") from error
    except OSError as error:
        raise BadArchive(f"{error.strerror or error}") from error
    _check_manifest(folder, found)


def _check_member(member: tarfile.TarInfo, position: int, found: dict[str, str]) -> None:
    name, parts = member.name, PurePosixPath(member.name).parts
    known = name in {FORMAT_MEMBER, DUMP, MANIFEST, *KEYS}
    inside = len(parts) > 1 and parts[0] == FILES and ".." not in parts and "\0" not in name
    if not member.isreg() or not (known or inside) or str(PurePosixPath(name)) != name:
        raise BadArchive(f"it holds {name!r}, which is no part of a backup")
    if name in found:
        raise BadArchive(f"it holds {name!r} twice")
    if (position == 0) != (name == FORMAT_MEMBER):
        raise BadArchive("it does not begin as a backup does")


def _write(source: IO[bytes], target: Path) -> str:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    checksum = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        while chunk := source.read(CHUNK):
            checksum.update(chunk)
            handle.write(chunk)
    return checksum.hexdigest()


def _check_manifest(folder: Path, found: dict[str, str]) -> None:
    if MANIFEST not in found:
        raise BadArchive("its end is missing")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        expected = dict(manifest["sha256"])
        version = manifest["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadArchive("its list of contents cannot be read") from error
    if version != FORMAT:
        raise BadArchive(f"its format is {version}, this version of llmops-web reads {FORMAT}")
    found = {name: checksum for name, checksum in found.items() if name != MANIFEST}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise BadArchive(f"{name!r} is missing or damaged")
    if DUMP not in found:
        raise BadArchive("it holds no database")


class _Hashing:
    """Reads through to the source and takes the checksum on the way."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._checksum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._checksum.update(chunk)
        return chunk

    def hexdigest(self) -> str:
        return self._checksum.hexdigest()
