"""The real stack under `manage.py up`: it starts, answers, survives what may befall it, and stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops_web.stack.folder import claim_data_folder
from llmops_web.stack.paths import StackPaths
from llmops_web.stack.postgres import EmbeddedPostgres
from llmops_web.stack.processes import read_records, wait_gone
from llmops_web.stack.waiting import wait_until
from tests.free_port import free_port
from tests.stack_remains import database_outside, remains, take_away

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack")]


class Stack:
    """One `manage.py up` on a data folder, as a newcomer would start it."""

    def __init__(self, data: Path, console: Path) -> None:
        self.paths = StackPaths(data)
        self.console = console
        self.port = free_port()
        ours = {
            "DATABASE_URL",
            "BROKER_URL",
            "LLMOPS_DATA_DIR",
            "DJANGO_SETTINGS_MODULE",
            "LLMOPS_PUBLIC_URL",
        }
        self.environment = {key: value for key, value in os.environ.items() if key not in ours}
        self.environment |= {"LLMOPS_DATA_DIR": str(data), "PORT": str(self.port)}
        # Each process takes seconds to start, and one worker more or less stops as the others do.
        self.environment["LLMOPS_WORKERS"] = "default,interactive,llm local,gpu"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.console.open("wb") as console:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            lambda: "Ctrl-C stops all of it" in self.said(),
            seconds=300,
            what="The stack",
            alive=lambda: self.process.poll() is None,
            log=self.console,
        )

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def said(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def readiness(self) -> dict[str, object]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)
        except OSError:
            return {"status": "no answer"}

    def pid_of(self, name: str) -> int:
        return next(record.pid for record in read_records(self.paths.run) if record.name == name)

    def stop(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(15)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="llmops-stack-", dir="/tmp"))
    deep = folder.joinpath(*["a deep folder with blanks in its name"] * 4)
    deep.mkdir(parents=True)
    try:
        yield deep
        for name in ("data", "elsewhere"):
            paths = StackPaths(deep / name)
            assert not remains(paths, take_away(paths))
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def removed(home: Path) -> Iterator[Path | None]:
    """The database of a stack whose data folder somebody removed; None where it was in the folder itself."""
    paths = StackPaths(home / "data")
    marker = claim_data_folder(paths)
    EmbeddedPostgres.of_stack(paths, folder_id=marker["id"]).prepare()
    database = database_outside(paths)
    left = database if database and database.exists() else None
    shutil.rmtree(paths.data)
    try:
        yield left
    finally:
        if left:
            shutil.rmtree(left)


@pytest.fixture(scope="module")
def stack(home: Path, removed: Path | None) -> Iterator[Stack]:
    """Started once for all tests of this file; each but the last leaves it running."""
    running = Stack(home / "data", home / "console.txt")
    try:
        running.start()
        yield running
    finally:
        if running.process and running.process.poll() is None:
            running.stop(signal.SIGTERM)


def test_a_first_start_answers_and_offers_the_first_admin_link(stack):
    assert stack.readiness() == {"status": "ready", "missing": []}
    assert f"http://127.0.0.1:{stack.port}/" in stack.said()
    assert "First admin:" in stack.said()
    assert stack.paths.data.stat().st_mode & 0o777 == 0o700


def test_where_a_data_folder_was_removed_the_next_start_has_a_database_of_its_own(stack, removed):
    """As root the removed folder's database is still there, elsewhere, under the id that the folder had."""
    assert "First start: making the database." in stack.said()
    database = database_outside(stack.paths)
    assert removed is None or (removed.exists() and database.exists() and database != removed)


def test_nothing_but_the_web_listens_on_the_network(stack):
    """Its programs hold one listening TCP socket between them."""
    tcp = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {line[9]: int(line[1].split(":")[1], 16) for line in tcp if line[3] == "0A"}
    ports = set()
    for record in read_records(stack.paths.run):
        for descriptor in Path(f"/proc/{record.pid}/fd").iterdir():
            link = os.readlink(descriptor) if descriptor.is_symlink() else ""
            inode = link.removeprefix("socket:[").removesuffix("]")
            if inode in listening:
                ports.add(listening[inode])
    assert ports == {stack.port}


def test_a_second_stack_on_the_same_data_folder_is_refused_in_one_line(stack):
    refused = stack.command("up")
    assert refused.returncode == 1
    assert refused.stderr.startswith("llmops-web: A stack (process ")
    assert refused.stderr.count("\n") == 1


def test_a_port_in_use_is_refused_in_one_line(stack, tmp_path):
    refused = stack.command("up", LLMOPS_DATA_DIR=str(tmp_path / "other"))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"llmops-web: Port {stack.port} on 127.0.0.1 is in use")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["worker-local-gpu", "valkey", "postgres", "web"])
def test_a_program_that_dies_is_started_again_and_said_so(stack, name):
    before = stack.pid_of(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: stack.pid_of(name) != before, seconds=20, what=name)
    assert f"{name} ended" in stack.said()
    wait_until(lambda: stack.readiness()["status"] == "ready", seconds=60, what="The stack", every=0.3)


def test_a_backup_taken_while_it_runs_brings_everything_back_elsewhere(stack, home):
    (stack.paths.files / "kept.txt").write_text("kept")
    backup = home / "backup.tar"
    assert stack.command("backup", str(backup)).returncode == 0
    assert stack.command("restore", str(backup)).returncode == 1
    elsewhere = StackPaths(home / "elsewhere")
    restored = stack.command("restore", str(backup), LLMOPS_DATA_DIR=str(elsewhere.data))
    assert restored.returncode == 0, restored.stderr
    assert f"LLMOPS_DATA_DIR='{elsewhere.data}' make up" in restored.stdout
    assert (elsewhere.files / "kept.txt").read_text() == "kept"
    assert elsewhere.secret_key.read_text() == stack.paths.secret_key.read_text()


@pytest.mark.parametrize("victim", ["supervisor", "stack", "both"])
def test_a_killed_supervisor_leaves_nothing_that_blocks_the_next_start(stack, victim):
    supervisor = stack.pid_of("supervisor")
    for pid in {
        "supervisor": [supervisor],
        "stack": [stack.process.pid],
        "both": [stack.process.pid, supervisor],
    }[victim]:
        os.kill(pid, signal.SIGKILL)
    stack.process.wait(15)
    stack.start()
    assert stack.readiness() == {"status": "ready", "missing": []}


def test_a_web_server_that_was_left_running_does_not_keep_its_port_from_the_next_start(stack):
    """A supervisor that is held up does not end its programs, as on a busy machine for a while."""
    os.kill(stack.pid_of("supervisor"), signal.SIGSTOP)
    stack.process.kill()
    stack.process.wait(15)
    assert stack.readiness()["status"] != "no answer"
    stack.start()
    assert "Ended web, which an earlier stack had left running." in stack.said()
    assert stack.readiness() == {"status": "ready", "missing": []}


def stopped(stack: Stack, number: signal.Signals) -> None:
    """It stops in time, and leaves no process and no socket."""
    records = read_records(stack.paths.run)
    assert {"web", "beat", "postgres", "valkey", "supervisor"} <= {record.name for record in records}
    assert stack.stop(number) == 0
    assert not wait_gone(records, 0)
    assert not stack.paths.sockets.exists()
    took = float(stack.said().rsplit("Stopped in ", 1)[1].split(" s")[0])
    assert took < 10


def test_it_stops_in_time_when_it_is_asked_to(stack):
    stopped(stack, signal.SIGTERM)
    stack.start()
    assert stack.readiness() == {"status": "ready", "missing": []}


def test_ctrl_c_stops_it_in_time(stack):
    stopped(stack, signal.SIGINT)
