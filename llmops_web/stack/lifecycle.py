"""The life of a running stack: servers first, then the tables, then workers and the web; down in reverse."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from llmops_web.stack.console import say
from llmops_web.stack.control import DOWN, SupervisorControl
from llmops_web.stack.errors import ProgramFailed
from llmops_web.stack.folder import private_folder
from llmops_web.stack.processes import end_leftovers
from llmops_web.stack.programs import write_programs
from llmops_web.stack.shape import StackShape
from llmops_web.stack.supervisor_config import supervisor_config, supervisor_environment
from llmops_web.stack.waiting import last_words, wait_until


class RunningStack:
    """Owns the supervisor process: `prepare`, `start_servers`, `start_programs`; `stop` in any case."""

    def __init__(self, shape: StackShape) -> None:
        self.shape = shape
        self._password = secrets.token_urlsafe(24)
        self._daemon: subprocess.Popen[bytes] | None = None
        self.control = SupervisorControl(shape.paths.control_socket, self._password)

    @property
    def supervisor_lives(self) -> bool:
        return self._daemon is not None and self._daemon.poll() is None

    def end_leftovers(self) -> None:
        """End what an earlier stack on this data folder left running; its web server still holds its port."""
        for name in end_leftovers(self.shape.paths.run):
            say("stack", f"Ended {name}, which an earlier stack had left running.")

    def prepare(self) -> None:
        """Folders, the database cluster, the supervisor's configuration."""
        paths = self.shape.paths
        for folder in (paths.run, paths.logs, paths.files):
            folder.mkdir(mode=0o700, exist_ok=True)
        # As root the database's account must pass through to its own folder; all below is closed to others.
        private_folder(paths.sockets, mode=0o711 if os.getuid() == 0 else 0o700)
        private_folder(paths.control_socket.parent)
        paths.control_socket.unlink(missing_ok=True)
        if self.shape.postgres:
            if not self.shape.postgres.initialised:
                say("stack", "First start: making the database.")
            self.shape.postgres.prepare()
        if self.shape.valkey:
            self.shape.valkey.prepare()
        write_programs(paths, self.shape.programs)
        self._write_configuration(paths.run / "supervisord.conf")

    def start_servers(self) -> None:
        """The supervisor, then the embedded servers; returns when they answer."""
        paths = self.shape.paths
        environment = {**os.environ, **supervisor_environment(paths), "LLMOPS_STACK_PARENT": str(os.getpid())}
        self._daemon = subprocess.Popen(
            [sys.executable, "-m", "llmops_web.stack.supervisord", str(paths.run / "supervisord.conf")],
            cwd=self.shape.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
        )
        self._wait(self.control.answers, 30, "The supervisor", paths.logs / "supervisor.log")
        self._start_stage(0)
        if self.shape.postgres:
            self._wait(self.shape.postgres.answers, 60, "The database", paths.logs / "postgres.log")
            self.shape.postgres.create_database()
        if self.shape.valkey:
            self._wait(self.shape.valkey.answers, 60, "The broker", paths.logs / "valkey.log")

    def start_programs(self) -> None:
        self._start_stage(1)
        self._start_stage(2)

    def require_all_up(self) -> None:
        """Raises ProgramFailed, with its last words, when a program did not stay up after several tries."""
        for name, state in self.control.states().items():
            if state.state == "FATAL":
                log = self.shape.paths.logs / f"{name}.log"
                raise ProgramFailed(f"Starting {name}", last_words(log))

    def run_command(self, *arguments: str, echo_as: str) -> None:
        """Run a management command to its end, its lines on our console. Raises ProgramFailed."""
        with subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=self.shape.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            text=True,
            start_new_session=True,
        ) as process:
            lines: list[str] = []
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    say(echo_as, line.rstrip("\n"))
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise ProgramFailed(f"`manage.py {' '.join(arguments)}`", "".join(lines))

    def revive(self, name: str) -> None:
        self.control.start(name)

    def stop(self, *, seconds: float = 9.0) -> None:
        """Web, then beat and workers, then the servers. Ends by force what does not end in time."""
        if self._daemon is None:
            return
        deadline = time.monotonic() + seconds
        try:
            for stage in (2, 1):
                self._stop_together(self.shape.names(stage), deadline - 3.0 * stage + 2.5)
            for name in reversed(self.shape.names(0)):
                self._stop_together([name], deadline)
            self.control.shutdown()
        except (OSError, ValueError, ProgramFailed):
            pass  # the supervisor is gone already; its programs die with it
        self._end_supervisor()
        end_leftovers(self.shape.paths.run, grace_s=1.0)
        self._remove_sockets()

    def _stop_together(self, names: Sequence[str], deadline: float) -> None:
        for name in names:
            self.control.stop(name)
        while True:
            states = self.control.states()
            left = [name for name in names if states[name].state not in DOWN]
            if not left:
                return
            if time.monotonic() > deadline:
                for name in left:
                    self.control.kill(name)
                return
            time.sleep(0.05)

    def _end_supervisor(self) -> None:
        assert self._daemon is not None
        try:
            self._daemon.wait(3)
        except subprocess.TimeoutExpired:
            self._daemon.send_signal(signal.SIGKILL)
            self._daemon.wait()

    def _remove_sockets(self) -> None:
        """The folders stay until the next start where something else was put into them."""
        paths = self.shape.paths
        for leaf in (paths.control_socket, paths.valkey_socket):
            leaf.unlink(missing_ok=True)
        for folder in (
            paths.control_socket.parent,
            paths.valkey_socket.parent,
            paths.postgres_socket_dir,
            paths.sockets,
        ):
            try:
                folder.rmdir()
            except OSError:
                pass

    def _start_stage(self, stage: int) -> None:
        for name in self.shape.names(stage):
            self.control.start(name)

    def _wait(self, condition: object, seconds: float, what: str, log: Path) -> None:
        assert callable(condition)
        wait_until(condition, seconds=seconds, what=what, alive=lambda: self.supervisor_lives, log=log)

    def _write_configuration(self, path: Path) -> None:
        text = supervisor_config(self.shape.programs, password=self._password, as_root=os.getuid() == 0)
        path.touch(mode=0o600)
        path.write_text(text)
