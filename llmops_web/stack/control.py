"""Talking to the supervisor over its socket."""

from __future__ import annotations

import http.client
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

RUNNING = {"RUNNING"}
DOWN = {"STOPPED", "EXITED", "FATAL"}


@dataclass(frozen=True)
class ProgramState:
    name: str
    state: str
    pid: int
    running_s: int


class SupervisorControl:
    """A new connection for each call: a call that a signal broke off leaves nothing half read behind."""

    def __init__(self, socket_path: Path, password: str) -> None:
        self._socket = socket_path
        self._password = password

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport("stack", self._password, f"unix://{self._socket}")
        server = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(server.supervisor, method)(*arguments)
        finally:
            transport.close()

    def answers(self) -> bool:
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False
        return True

    def states(self) -> dict[str, ProgramState]:
        return {
            row["name"]: ProgramState(
                row["name"], row["statename"], row["pid"], max(0, row["now"] - row["start"])
            )
            for row in self._call("getAllProcessInfo")
        }

    def start(self, name: str) -> None:
        self._ignore_faults("startProcess", name, False)

    def stop(self, name: str) -> None:
        self._ignore_faults("stopProcess", name, False)

    def kill(self, name: str) -> None:
        self._ignore_faults("signalProcess", name, "KILL")

    def shutdown(self) -> None:
        self._call("shutdown")

    def _ignore_faults(self, method: str, *arguments: object) -> None:
        """Already started, already stopped: what was asked for holds."""
        try:
            self._call(method, *arguments)
        except xmlrpc.client.Fault:
            pass
