"""What must hold before the stack starts; each check raises one StackError with one clear line."""

from __future__ import annotations

import errno
import shutil
import socket
import sys
from pathlib import Path

from llmops_web.stack.errors import AddressUnavailable, FolderNotOurs, PortInUse, PythonTooOld, TooLittleDisk

OLDEST_PYTHON = (3, 11)
NEEDED_DISK_MB = 1_000


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> None:
    if version < OLDEST_PYTHON:
        raise PythonTooOld(".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON)))


def check_disk(folder: Path, needed_mb: int = NEEDED_DISK_MB) -> None:
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < needed_mb:
        raise TooLittleDisk(folder, free_mb, needed_mb)


def check_path(folder: Path) -> None:
    """The supervisor's configuration cannot hold these characters in a path."""
    if any(character in '"\\' or ord(character) < 32 for character in str(folder)):
        raise FolderNotOurs(folder, "has a quote, a backslash or a control character in its name")


def check_address(host: str, port: int) -> None:
    """Bind and let go: the web server binds a moment later."""
    if not 0 < port < 65_536:
        raise AddressUnavailable(host, port, "a port is a number from 1 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        raise AddressUnavailable(host, port, error.strerror or str(error)) from error


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
