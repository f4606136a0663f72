"""A process that has the product imported already, and forks: a worker or web server that would take seconds
to start is there in a tenth of one. The command that really starts them is tried by tests of the stack.

    python -m tests.process_factory     reads lines of JSON, answers each with a process id

It is single-threaded, opens no connection and makes no random number, so that its children share nothing.
When its input ends, because the tests did, it ends all of them.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
_NEEDED = (
    *("worker.__main__", "worker.heartbeat", "worker.tasks", "celery.bin.worker", "celery.worker.consumer"),
    *("celery.concurrency.thread", "celery.concurrency.solo", "llmops_web.asgi", "llmops_web.urls"),
    *("llmops_web.api_urls", "uvicorn", "uvicorn.protocols.http.httptools_impl", "uvicorn.loops.uvloop"),
    *("apps.providers.adapters.openai", "genai_prices", "redis.asyncio", "apps.prompts.rendering"),
)


class ForkedProcess:
    """A process that the factory forked, with what `subprocess.Popen` offers and tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._fd = None

    def poll(self) -> int | None:
        """None while it runs; its exit status is known to the factory alone, so 0 stands for any."""
        if self._fd is None:
            return 0
        ended, _, _ = select.select([self._fd], [], [], 0)
        return 0 if ended else None

    def send_signal(self, number: int) -> None:
        if self._fd is not None and self.poll() is None:
            signal.pidfd_send_signal(self._fd, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        if self._fd is not None:
            ended, _, _ = select.select([self._fd], [], [], timeout)
            if not ended:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            os.close(self._fd)
            self._fd = None
        return 0


class ProcessFactory:
    """The tests' end: starts the factory with an environment, and asks it for processes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process_factory"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(
        self, module: str, arguments: list[str], environment: dict[str, str], log: Path
    ) -> ForkedProcess:
        """Run `python -m module arguments…`, with what it says at the end of `log`."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"module": module, "arguments": arguments, "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return ForkedProcess(int(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    django.setup()
    for name in _NEEDED:
        importlib.import_module(name)
    children: set[int] = set()
    signal.signal(signal.SIGCHLD, lambda number, frame: _reap(children))
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(order)
        children.add(pid)
        print(pid, flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _reap(children: set[int]) -> None:
    for pid in list(children):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid
        if ended:
            children.discard(pid)


def _become(order: dict[str, Any]) -> NoReturn:
    """Be the process that was asked for: its session, its output, its environment, its settings."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    _read_settings_again()
    sys.argv = [order["module"], *order["arguments"]]
    status = 0
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _read_settings_again() -> None:
    """What the environment of this process says otherwise, its port for one."""
    from django.conf import settings

    module = importlib.reload(sys.modules["llmops_web.settings"])
    for name in dir(module):
        if name.isupper() and getattr(settings, name, None) != getattr(module, name):
            setattr(settings, name, getattr(module, name))


if __name__ == "__main__":
    main()
