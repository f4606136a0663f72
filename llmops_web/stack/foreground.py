"""What the two commands `up` and `worker` share: run a stack in the foreground until asked to stop."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from llmops_web.stack.console import say
from llmops_web.stack.errors import ProgramFailed
from llmops_web.stack.lifecycle import RunningStack
from llmops_web.stack.watchdog import Watchdog


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal. Raised once: what follows is the orderly stop."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise StopRequested

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_until_stopped(stack: RunningStack, *, start: Callable[[], None]) -> None:
    """Run `start`, then look after the programs until a signal comes; stops all of it in any case.

    Raises ProgramFailed when the supervisor itself ended.
    """
    with stop_on_signals():
        try:
            start()
            watchdog = Watchdog(stack)
            while True:
                if not stack.supervisor_lives:
                    raise ProgramFailed("The supervisor", "it was ended from outside; the stack is down")
                try:
                    watchdog.look()
                except OSError:
                    pass  # the supervisor went away just now: seen above in a moment
                time.sleep(0.5)
        except StopRequested:
            began = time.monotonic()
            say("stack", "Stopping.")
            stack.stop()
            say("stack", f"Stopped in {time.monotonic() - began:.1f} s.")
        except BaseException:
            stack.stop()
            raise


def web_answers(host: str, port: int) -> bool:
    """Ask /healthz as a load balancer would."""
    request = urllib.request.Request(
        f"http://{_url_host(host)}:{port}/healthz", headers={"Host": "127.0.0.1"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _url_host(host: str) -> str:
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1" if host != "::" else "[::1]"
    return f"[{host}]" if ":" in host else host
