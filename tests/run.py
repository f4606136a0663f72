"""All tests: `python -m tests.run [arguments of pytest]`.

What needs no browser on three processes, and at the same time the browser tests on two more, a file at a
time: each file runs a whole stack of its own, and all wait more than they work. The two are separate runs, as
Playwright's event loop would stand in the way of other tests in its process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import IO

from tests.browser import find_or_install_browser

NO_TESTS_COLLECTED = 5
_BROWSERS = ["-n", "2", "--dist", "loadfile"]
_OTHERS = ["-n", "3", "--dist", "loadgroup"]


def main(arguments: list[str]) -> int:
    os.environ["LLMOPS_TEST_BROWSER"] = find_or_install_browser()
    # The tests start some hundred processes of the product: each would compile all of it anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Several processes share the cores: a second thread of torch in each would only wait for its turn.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments:
        return _ends([_pytest(arguments)])
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory(prefix="llmops-tests-") as shared:
        os.environ["LLMOPS_TESTS_SHARED"] = shared  # what one of the two has made, the other need not
        browser = _pytest([*_BROWSERS, "tests/e2e"], output=said)
        ignored = ("--ignore=tests/e2e", "--ignore=tests/benchmarks")
        status = _ends([_pytest([*_OTHERS, *ignored, "tests"]), browser])
        said.seek(0)
        shutil.copyfileobj(said, sys.stdout.buffer)
        sys.stdout.flush()
    return status


def _pytest(arguments: list[str], output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _ends(runs: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all; the first status that is not good. Whoever ends us ends them."""

    def pass_on(number: int, frame: object) -> None:
        for run in runs:
            run.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    try:
        statuses = [run.wait() for run in runs]
    except KeyboardInterrupt:
        for run in runs:
            run.wait()  # it has the same Ctrl-C, and tidies up
        return 130
    return next((status for status in statuses if status not in (0, NO_TESTS_COLLECTED)), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
