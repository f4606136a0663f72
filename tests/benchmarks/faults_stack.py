"""What a drill may do to the running stack: end its processes, keep programs down, wait patiently."""

from __future__ import annotations

import http.client
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from llmops_web.stack.control import SupervisorControl
from llmops_web.stack.paths import StackPaths
from llmops_web.stack.processes import ProcessRecord, read_records, wait_gone
from llmops_web.stack.waiting import wait_until
from tests.benchmarks.bench_stack import ENDED, BenchStack, Paced
from tests.benchmarks.paced_provider import API_KEY, MODEL

_LIVES = "SELECT 1 FROM core_workerheartbeat WHERE pid = %s AND seen_at > %s"
CONCURRENCY = 32
#: A call that takes longer has hung; the paced provider answers in a twentieth of a second.
TIMEOUT_S = 2


class FaultyStack(BenchStack):
    """The stack of the benchmarks, with the means to break it."""

    def __init__(self, folder: Path) -> None:
        # Two workers for calls: what one leaves behind, the other may take up.
        super().__init__(folder, {"LLMOPS_LLM_WORKERS": "2"})
        self.paths = StackPaths(self.data)

    @property
    def workers(self) -> list[str]:
        return [record.name for record in self._records() if record.name.startswith("worker-")]

    def end(self, *names: str, by: signal.Signals = signal.SIGKILL) -> None:
        """Send these programs a signal that ends them, and wait until they are gone.

        Raises LookupError when one was not there to be ended.
        """
        found = [record for record in self._records() if record.name in names and record.alive]
        if missing := set(names) - {record.name for record in found}:
            raise LookupError(f"{', '.join(sorted(missing))} did not run.")
        for record in found:
            record.signal(by)
        _wait_gone(found)

    def kill_everything(self) -> None:
        """kill -9 of every process of the stack, the supervisor and `manage.py up` included."""
        assert self.process is not None
        records = self._records()
        self.process.kill()
        for record in records:
            record.signal(signal.SIGKILL)
        self.process.wait(10)
        _wait_gone(records)

    def _records(self) -> list[ProcessRecord]:
        return read_records(self.paths.run)

    def freeze(self, name: str, *, seconds: float) -> None:
        """Stop a worker as a paused machine does, let it go on, and wait until it has said that it lives."""
        (record,) = [record for record in self._records() if record.name == name]
        record.signal(signal.SIGSTOP)
        time.sleep(seconds)  # the length of the pause
        thawed = datetime.now(UTC)
        record.signal(signal.SIGCONT)
        with psycopg.connect(self.paths.database_url, autocommit=True) as connection:
            wait_until(
                lambda: connection.execute(_LIVES, [record.pid, thawed]).fetchone() is not None,
                seconds=60,
                what=name,
                every=0.2,
            )

    def hold_down(self, names: list[str]) -> None:
        """Have the supervisor keep these programs stopped."""
        control = self._control()

        def are_stopped() -> bool:
            # One that has just been killed may be between its end and its next start, when there is
            # nothing to stop: it is told so until it stays down.
            states = control.states()
            running = [name for name in names if states[name].state != "STOPPED"]
            for name in running:
                control.stop(name)
            return not running

        wait_until(are_stopped, seconds=30, what=", ".join(names))

    def let_up(self, names: list[str]) -> None:
        control = self._control()
        for name in names:
            control.start(name)

    def _control(self) -> SupervisorControl:
        lines = (self.paths.run / "supervisord.conf").read_text().splitlines()
        password = next(line.partition("=")[2] for line in lines if line.startswith("password="))
        return SupervisorControl(self.paths.control_socket, password)

    def empty_broker_folder(self) -> None:
        """Unlink what Valkey has on disk; once killed it comes back with nothing."""
        for entry in self.paths.valkey.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def add_provider(self, name: str, base_url: str) -> str:
        """A provider of the drill's own, as the limiter knows nothing of it yet; the name of its model."""
        fields = {"name": name, "kind": "openai", "base_url": base_url, "api_key": API_KEY}
        made = self.api("providers/", {**fields, "max_concurrency": CONCURRENCY, "timeout_s": TIMEOUT_S})
        return f"{made['slug']}/{MODEL}"

    def ask(self, path: str, body: Any = None) -> Any | None:
        """As `api`; None while the stack does not answer, as a person would see it."""
        try:
            return self.api(path, body)
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def insist(self, path: str, body: Any) -> Any:
        """Ask until it is done, as a person would who sees an error page."""
        answers: list[Any] = []
        wait_until(lambda: _kept(answers, self.ask(path, body)), seconds=60, what=path, every=0.2)
        return answers[0]

    def await_end(self, run: str, *, seconds: float) -> dict[str, Any] | None:
        """The run once it has ended and its figures are there; None when it did not come to that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.ask(f"eval-runs/{run}/")
            if answer is not None and answer["status"] in ENDED and answer["finalized"]:
                return dict(answer)
            if answer is not None and answer["status"] == "paused":
                return None
            time.sleep(0.1)
        return None


def _wait_gone(records: list[ProcessRecord]) -> None:
    if left := wait_gone(records, 20):
        raise TimeoutError(f"{', '.join(record.name for record in left)} did not end.")


def _kept(answers: list[Any], answer: Any | None) -> bool:
    if answer is not None:
        answers.append(answer)
    return answer is not None


class Scene:
    """One drill under way: the stack, the provider, its runs, and how far they are."""

    def __init__(self, stack: FaultyStack, provider: Paced, rows: int, *, name: str) -> None:
        self.stack = stack
        self.provider = provider
        self.rows = rows
        self.runs: list[str] = []
        self._plan = {"name": name, "model": stack.add_provider(name, provider.base_url)}
        self._calls_before = provider.calls()
        #: How many calls had been made when the fault struck, for the report.
        self.struck_at: list[int] = []

    def start_run(self) -> None:
        self.runs.append(self.stack.start_run(**self._plan))

    def calls(self) -> int:
        return self.provider.calls() - self._calls_before

    def at(self, share: float, strike: Callable[[], object]) -> None:
        """Strike when the provider has had this share of the rows' calls."""
        wanted = int(self.rows * share)
        wait_until(lambda: self.calls() >= wanted, seconds=180, what=f"Call {wanted}", every=0.01)
        self.struck_at.append(self.calls())
        strike()
