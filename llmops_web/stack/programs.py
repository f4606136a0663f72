"""Which programs make up the stack, in the order in which they start; they stop in the reverse order."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmops_web.stack.paths import StackPaths
from llmops_web.stack.postgres import EmbeddedPostgres
from llmops_web.stack.valkey import EmbeddedValkey


@dataclass(frozen=True)
class Program:
    """One supervised program. `stage`: 0 servers, 1 what needs the database's tables, 2 the web.

    `stop_s`: how long it may take to stop before it is killed. All stages together stay below 10 s.
    """

    name: str
    command: Sequence[str]
    stage: int
    stop_signal: str = "TERM"
    stop_s: int = 3
    #: The kernel sends this when the supervisor is gone.
    parent_signal: str = "SIGKILL"
    folder: Path = Path("/")
    uid: int | None = None
    gid: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def postgres_program(server: EmbeddedPostgres) -> Program:
    account = server.account
    return Program(
        "postgres",
        server.server_command(),
        stage=0,
        stop_signal="INT",
        stop_s=2,
        parent_signal="SIGINT",
        folder=server.home,
        uid=account.uid if account else None,
        gid=account.gid if account else None,
        environment={"LC_ALL": "C"},
    )


def valkey_program(server: EmbeddedValkey) -> Program:
    return Program(
        "valkey", server.server_command(), stage=0, stop_s=1, parent_signal="SIGTERM", folder=server.home
    )


def worker_program(queues: str, root: Path, *, number: int = 1) -> Program:
    """A worker of these queues; `number` tells several of the same queues on one machine apart."""
    name = f"worker-{queues.replace(',', '-')}" + (f"-{number}" if number > 1 else "")
    return Program(
        name,
        [*_python(), "worker", queues],
        stage=1,
        folder=root,
        environment={"LLMOPS_WORKER_NUMBER": str(number)},
    )


def beat_program(root: Path) -> Program:
    return Program("beat", [*_python(), "worker", "beat"], stage=1, folder=root)


def web_program(host: str, port: int, root: Path) -> Program:
    command = [*_python(), "uvicorn", "llmops_web.asgi:application", "--host", host, "--port", str(port)]
    command += [
        "--no-access-log",
        "--no-proxy-headers",
        "--lifespan",
        "off",
        "--timeout-graceful-shutdown",
        "1",
    ]
    return Program("web", command, stage=2, stop_s=2, folder=root)


def write_programs(paths: StackPaths, programs: Sequence[Program]) -> None:
    """For child.py, which turns itself into one of them."""
    specifications = {
        program.name: {
            "command": list(program.command),
            "folder": str(program.folder),
            "uid": program.uid,
            "gid": program.gid,
            "parent_signal": program.parent_signal,
            "environment": dict(program.environment),
        }
        for program in programs
    }
    draft = paths.run / ".programs.json"
    draft.write_text(json.dumps(specifications, indent=1))
    os.replace(draft, paths.run / "programs.json")


def _python() -> list[str]:
    return [sys.executable, "-m"]
