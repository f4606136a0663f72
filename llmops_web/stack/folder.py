"""The data folder: ours alone (mode 0700, marked), and used by one stack at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

from llmops_web.stack.errors import AlreadyRunning, FolderNotOurs
from llmops_web.stack.paths import StackPaths

FORMAT = 1
#: Made by the settings before there was a marker, or by two processes that start at once.
OURS = {"secret_key", "key_ring.json", "files", "models", "run", "logs", "stack.lock", "beat-schedule"}


def claim_data_folder(paths: StackPaths) -> dict[str, Any]:
    """Make the data folder, or make sure that an existing one is ours; returns what its marker says.

    Raises FolderNotOurs when it belongs to another account, holds other things, or cannot be written.
    """
    folder = paths.data
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
        _require_ours(folder)
        marker = _read_marker(paths)
        if marker is None:
            marker = _write_marker(paths)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise FolderNotOurs(folder, f"cannot be used ({error.strerror})") from error
    return marker


def _require_ours(folder: Path) -> None:
    if not folder.is_dir():
        raise FolderNotOurs(folder, "is not a folder")
    if folder.stat().st_uid != os.getuid():
        raise FolderNotOurs(folder, "belongs to another account")


def _read_marker(paths: StackPaths) -> dict[str, Any] | None:
    try:
        marker = json.loads(paths.marker.read_text())
    except FileNotFoundError:
        strangers = {entry.name for entry in paths.data.iterdir()} - OURS
        if paths.marker.exists():  # another process was first
            return _read_marker(paths)
        if strangers:
            raise FolderNotOurs(
                paths.data, f"is not ours: it already holds {sorted(strangers)[0]!r}"
            ) from None
        return None
    except ValueError:
        raise FolderNotOurs(paths.data, f"has a broken marker file ({paths.marker.name})") from None
    if not isinstance(marker, dict) or marker.get("format") != FORMAT:
        raise FolderNotOurs(paths.data, "was made by a newer version of llmops-web")
    return marker


def _write_marker(paths: StackPaths) -> dict[str, Any]:
    """Two processes that start at once agree on one marker: it appears whole, by link."""
    draft = paths.data.parent / f".{paths.data.name}.{os.getpid()}.{secrets.token_hex(4)}"
    draft.write_text(json.dumps({"format": FORMAT, "id": secrets.token_hex(8)}))
    try:
        os.link(draft, paths.marker)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    marker: dict[str, Any] = json.loads(paths.marker.read_text())
    return marker


class FolderLock:
    """Held by the one stack that runs on a data folder; the kernel frees it however that stack ends."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._handle: IO[str] | None = None

    def acquire(self) -> None:
        handle = self._paths.lock.open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            pid = handle.read().strip()
            handle.close()
            raise AlreadyRunning(self._paths.data, pid) from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        if self._handle:
            self._handle.close()
            self._handle = None


def private_folder(path: Path, *, mode: int = 0o700) -> Path:
    """Make the folder with this mode, or make sure that it is ours and no link to elsewhere."""
    try:
        path.mkdir(mode=mode, parents=False)
    except FileExistsError:
        status = path.lstat()
        if status.st_uid != os.getuid() or not path.is_dir() or path.is_symlink():
            raise FolderNotOurs(path, "belongs to another account") from None
    path.chmod(mode)
    return path
