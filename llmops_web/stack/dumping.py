"""The database into one file and back, with the programs of the wheel; no password in any argument."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from llmops_web.stack.errors import AlreadyRunning, ProgramFailed
from llmops_web.stack.folder import FolderLock, claim_data_folder, private_folder
from llmops_web.stack.paths import StackPaths
from llmops_web.stack.postgres import EmbeddedPostgres, installed_binaries
from llmops_web.stack.waiting import wait_until


def connection_environment(database: Mapping[str, object]) -> dict[str, str]:
    """What Django's settings say of a database, as libpq reads it from the environment."""
    options = database.get("OPTIONS")
    extra = options if isinstance(options, Mapping) else {}
    named = {
        "PGHOST": database.get("HOST"),
        "PGPORT": database.get("PORT"),
        "PGUSER": database.get("USER"),
        "PGPASSWORD": database.get("PASSWORD"),
        "PGDATABASE": database.get("NAME"),
        "PGSSLMODE": extra.get("sslmode"),
        "PGSSLROOTCERT": extra.get("sslrootcert"),
    }
    return {key: str(value) for key, value in named.items() if value}


def dump_database(database: Mapping[str, object], target: Path) -> None:
    """One consistent snapshot, however busy the database is."""
    _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], database)


def load_database(database: Mapping[str, object], source: Path) -> None:
    """All or nothing: one transaction."""
    command = ["pg_restore", "--no-owner", "--no-privileges", "--no-comments", "--single-transaction"]
    _run([*command, "--exit-on-error", f"--dbname={database['NAME']}", str(source)], database)


def _run(command: list[str], database: Mapping[str, object]) -> None:
    program = str(installed_binaries() / command[0])
    done = subprocess.run(
        [program, *command[1:]],
        env={**os.environ, **connection_environment(database)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramFailed(command[0], done.stderr)


@contextmanager
def embedded_database(paths: StackPaths, *, may_run: bool) -> Iterator[None]:
    """The stack's own database for the length of the block: the running one, or started for it.

    With `may_run` false a running stack is refused (AlreadyRunning).
    """
    marker = claim_data_folder(paths)
    server = EmbeddedPostgres.of_stack(paths, folder_id=marker["id"])
    lock = FolderLock(paths)
    try:
        lock.acquire()
    except AlreadyRunning:
        if not may_run:
            raise
        wait_until(server.answers, seconds=30, what="The database of the running stack")
        yield
        return
    try:
        paths.logs.mkdir(mode=0o700, exist_ok=True)
        private_folder(paths.sockets, mode=0o711 if os.getuid() == 0 else 0o700)
        with server.running(log=paths.logs / "postgres.log"):
            server.create_database()
            yield
    finally:
        lock.release()
        for folder in (paths.postgres_socket_dir, paths.sockets):
            try:
                folder.rmdir()
            except OSError:
                pass  # the next start makes and checks them anew
