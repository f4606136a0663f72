"""Become another program that the kernel kills when the process that asked for it ends.

`python -m apps.training.running.leash PARENT NICENESS COMMAND…`; it imports nothing of the product.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, niceness: int, command: list[str]) -> None:
    """prctl(2): the setting stays over execve, and so it holds for the program that this turns into."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the request
        raise SystemExit(1)
    os.nice(niceness)
    os.execv(command[0], command)  # noqa: S606  (that is the point)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
