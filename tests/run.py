"""All tests, in the order in which a failure tells most: `python -m tests.run [arguments of pytest]`.

First what needs no browser, on two processes; then the browser tests, on two as well, a file at a time, as
each file runs a whole stack of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.browser import find_or_install_browser

NO_TESTS_COLLECTED = 5


def main(arguments: list[str]) -> int:
    os.environ["LLMOPS_TEST_BROWSER"] = find_or_install_browser()
    # The tests start some hundred processes of the product: each would compile all of it anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if arguments:
        return _pytest(arguments)
    everything_else = [
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "--ignore=tests/e2e",
        "--ignore=tests/benchmarks",
        "tests",
    ]
    first = _pytest(everything_else)
    second = _pytest(["-n", "2", "--dist", "loadfile", "tests/e2e"])
    return first or (0 if second == NO_TESTS_COLLECTED else second)


def _pytest(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as run:
        signal.signal(signal.SIGTERM, lambda number, frame: run.send_signal(number))
        try:
            return run.wait()
        except KeyboardInterrupt:
            run.wait()  # it has the same Ctrl-C, and tidies up
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
