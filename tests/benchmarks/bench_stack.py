"""The real stack for benchmarks and fault drills, in a folder of its own that is gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmops_web.stack.paths import SHARED_STATE, StackPaths
from llmops_web.stack.processes import read_records
from llmops_web.stack.waiting import wait_until
from tests.benchmarks.paced_provider import API_KEY, MODEL
from tests.benchmarks.questions import as_jsonl
from tests.free_port import free_port
from tests.stack_remains import take_away

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "bench"
_OURS = ("DATABASE_URL", "BROKER_URL", "DJANGO_SETTINGS_MODULE", "LLMOPS_PUBLIC_URL", "LLMOPS_PRODUCTION")
_SIGN_IN = """
from django.test import Client
from apps.core.models import User
user = User.objects.filter(is_superuser=True).first()
user = user or User.objects.create_superuser("bench@example.org", "x")
client = Client()
client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
print(client.session.session_key)
"""
ENDED = ("completed", "failed", "cancelled")


class BenchStack:
    """`manage.py up` on embedded parts. `api(path)` speaks REST with an admin's key."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.console = folder / "console.txt"
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if name not in _OURS}
        self.environment |= {"LLMOPS_DATA_DIR": str(self.data), "PORT": str(self.port), **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.key = ""
        self.cookie = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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
        process = self.process
        wait_until(
            lambda: "Ctrl-C stops all of it" in self.console.read_text(errors="replace"),
            seconds=180,
            what="The stack",
            alive=lambda: process.poll() is None,
            log=self.console,
        )
        self.key = self.key or self.manage(
            "create_api_key", "--project", PROJECT, "--role", "admin", "--name", "bench"
        )

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def pids(self, start_of_name: str) -> list[int]:
        """The processes of the programs whose name begins so, e.g. "worker-llm", "postgres"."""
        return [
            record.pid for record in read_records(self.data / "run") if record.name.startswith(start_of_name)
        ]

    def api(self, path: str, body: Any = None, *, raw: bytes | None = None, kind: str = "") -> Any:
        """GET, or POST with a body. Raises urllib.error.HTTPError."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind or "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def open_page(self, path: str, *, htmx: bool = False) -> bytes:
        """A page as an admin sees it, or a part of one. Raises urllib.error.HTTPError."""
        self.cookie = self.cookie or self.manage("shell", "-v0", "-c", _SIGN_IN)
        headers = {"Cookie": f"llmops_session={self.cookie}"} | ({"HX-Request": "true"} if htmx else {})
        request = urllib.request.Request(f"{self.url}/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            content: bytes = answer.read()
            return content

    def prepare(self, base_url: str, *, rows: int, concurrency: int = 32) -> None:
        """A provider, a prompt, an exact-match evaluator, and a dataset `rows` of that many questions."""
        provider = {"name": "Paced", "kind": "openai", "base_url": base_url, "api_key": API_KEY}
        self.api("providers/", {**provider, "max_concurrency": concurrency})
        self.api("prompts/", {"name": "Ask"})
        message = {"role": "user", "content": "{{ question }}"}
        version = {"messages": [message], "parameters": {"model": f"paced/{MODEL}"}}
        self.api("prompts/ask/versions/", {**version, "commit_message": "First"})
        self.api("evaluators/", {"name": "Exact match", "kind": "exact_match", "config": {}})
        self.add_dataset("rows", rows)

    def add_dataset(self, name: str, rows: int) -> None:
        self.api("datasets/", {"name": name})
        query = "inputs=question&reference=answer&key=key"
        answer = self.api(f"datasets/{name}/import/?{query}", raw=as_jsonl(rows), kind="application/x-ndjson")
        deadline = time.monotonic() + 300
        while answer.get("version") is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The dataset {name} was not imported within five minutes.")
            time.sleep(0.2)
            answer = self.api(f"datasets/{name}/imports/{answer['id']}/")

    def start_run(self, **plan: Any) -> str:
        """Start a run of the questions; the id."""
        wanted = {"name": "Bench", "dataset": "rows", "prompt": "ask", "evaluators": ["exact-match"], **plan}
        return str(self.api("eval-runs/", wanted)["id"])

    def wait_run(self, run: str, *, seconds: float = 600, every_s: float = 0.05) -> dict[str, Any]:
        """The run when it has ended (or paused)."""
        deadline = time.monotonic() + seconds
        while True:
            answer: dict[str, Any] = self.api(f"eval-runs/{run}/")
            if answer["status"] in (*ENDED, "paused"):
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"Run {run} is {answer['status']} after {seconds} s: {answer['counts']}")
            time.sleep(every_s)


class Paced:
    """The paced provider in a process of its own."""

    def __init__(self, latency_ms: float = 50.0) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.paced_provider", "--latency-ms", str(latency_ms)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def control(self, **plan: Any) -> dict[str, Any]:
        data = json.dumps(plan).encode() if plan else None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/control", data, timeout=30) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def calls(self) -> int:
        """How many completions were asked for so far."""
        return sum(self.control()["outcomes"].values())

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def bench_stack(**environment: str) -> Iterator[BenchStack]:
    """A running stack; stopped, and its folders removed, at the end."""
    folder = Path(tempfile.mkdtemp(prefix="llmops-bench-"))
    stack = BenchStack(folder, environment)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        remove(stack)


@contextmanager
def paced_provider(latency_ms: float = 50.0) -> Iterator[Paced]:
    provider = Paced(latency_ms)
    try:
        yield provider
    finally:
        provider.stop()


def remove(stack: BenchStack) -> None:
    """Whatever is left of it: processes, the database that root keeps outside of the data folder, sockets."""
    take_away(StackPaths(stack.data))
    for place in (SHARED_STATE / "postgres", SHARED_STATE):
        try:
            place.rmdir()  # where no other stack has anything in it
        except OSError:
            break
    shutil.rmtree(stack.folder, ignore_errors=True)
