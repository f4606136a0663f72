"""Fixtures that run the real workers and the real web server against the test database.

`live_workers` starts a worker for every queue but `gpu` (ask `start("gpu")` for that one); `live_stack` adds
uvicorn on a free port. Both use `transactional_db`: what a test commits, the processes see; all rows are gone
after the test. Starting takes a few seconds at first and one or two after that, so ask for them only where
real processes matter; `client` and task functions do otherwise.

    def test_an_import_finishes(live_stack, page):
        page.goto(live_stack.url + "/account/login/")

    def test_a_killed_worker_loses_no_result(live_workers):
        live_workers.kill("llm")      # as kill -9 would
        live_workers.start("llm")
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops_web.stack.foreground import web_answers
from llmops_web.stack.waiting import wait_until
from tests.free_port import free_port
from tests.process_factory import ForkedProcess, ProcessFactory

#: Queues whose workers use the same pool share a process, as a start costs seconds; `kill("llm")` ends it.
GROUPS = ("default,interactive,llm", "local")
#: Started by `start("gpu")` alone: few tests train.
ON_DEMAND = ("gpu",)


class LiveWorkers:
    """Worker processes on the test's own database, broker number and data folder."""

    def __init__(self, factory: ProcessFactory, environment: dict[str, str], logs: Path) -> None:
        self.factory = factory
        self.environment = environment
        self.logs = logs
        self.processes: dict[str, ForkedProcess] = {}

    def start(self, queue: str) -> None:
        """Start the worker that serves this queue and wait until it says that it lives."""
        self._spawn(_group(queue), "worker", [_group(queue)])
        self.wait_ready([queue])

    def start_all(self) -> None:
        for group in GROUPS:
            self._spawn(group, "worker", [group])
        self.wait_ready([queue for group in GROUPS for queue in group.split(",")])

    def wait_ready(self, queues: list[str]) -> None:
        pids = {self.processes[_group(queue)].pid for queue in queues}
        wait_until(
            lambda: pids <= _beating_pids(),
            seconds=60,
            what="The workers",
            alive=lambda: all(process.poll() is None for process in self.processes.values()),
            log=self.logs / f"{_group(queues[0])}.log",
        )

    def kill(self, queue: str) -> None:
        """End the process that serves this queue at once, with no chance to clean up."""
        process = self.processes.pop(_group(queue))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log_of(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes.clear()

    def _spawn(self, name: str, module: str, arguments: list[str]) -> None:
        self.processes[name] = self.factory.start(
            module, arguments, self.environment, self.logs / f"{name}.log"
        )


class LiveStack(LiveWorkers):
    """The workers and the web server; `url` is its address, without a slash at the end."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_web(self) -> None:
        self.port = free_port()
        self.environment |= {"PORT": str(self.port), "LLMOPS_PUBLIC_URL": self.url}
        arguments = ["llmops_web.asgi:application", "--port", str(self.port), "--no-access-log"]
        self._spawn("web", "uvicorn", [*arguments, "--lifespan", "off", "--timeout-graceful-shutdown", "1"])
        wait_until(
            lambda: web_answers("127.0.0.1", self.port),
            seconds=60,
            what="The web server",
            alive=lambda: self.processes["web"].poll() is None,
            log=self.logs / "web.log",
        )


@pytest.fixture(scope="session")
def process_factory(django_db_setup: None) -> Iterator[ProcessFactory]:
    factory = ProcessFactory(_environment())
    try:
        yield factory
    finally:
        factory.close()


@pytest.fixture
def live_workers(
    transactional_db: None, process_factory: ProcessFactory, tmp_path: Path
) -> Iterator[LiveWorkers]:
    workers = LiveWorkers(process_factory, _environment(), tmp_path)
    try:
        workers.start_all()
        yield workers
    finally:
        workers.stop()
        _empty_broker()


@pytest.fixture
def live_stack(
    transactional_db: None, process_factory: ProcessFactory, tmp_path: Path
) -> Iterator[LiveStack]:
    stack = LiveStack(process_factory, _environment(), tmp_path)
    try:
        stack.start_web()
        stack.start_all()
        yield stack
    finally:
        stack.stop()
        _empty_broker()


def _group(queue: str) -> str:
    return next(group for group in (*GROUPS, *ON_DEMAND) if queue in group.split(","))


def _environment() -> dict[str, str]:
    from django.conf import settings

    database = settings.DATABASES["default"]
    login = f"{database['USER']}:{database['PASSWORD']}" if database["PASSWORD"] else database["USER"]
    place = f"?host={database['HOST']}" if str(database["HOST"]).startswith("/") else ""
    address = "" if place else f"{database['HOST']}:{database['PORT'] or 5432}"
    return {
        **os.environ,
        "DATABASE_URL": f"postgresql://{login}@{address}/{database['NAME']}{place}",
        "BROKER_URL": settings.BROKER_URL,
        "LLMOPS_DATA_DIR": str(settings.DATA_DIR),
        "PYTHONUNBUFFERED": "1",
    }


def _beating_pids() -> set[int]:
    from apps.core.models import WorkerHeartbeat

    return set(WorkerHeartbeat.objects.values_list("pid", flat=True))


def _empty_broker() -> None:
    import redis
    from django.conf import settings

    with redis.from_url(settings.VALKEY_URL) as broker:
        broker.flushdb()
