"""Become one of the stack's programs: drop privileges, die with the parent, be found by the next start.

Run as a file by the supervisor, `child.py NAME`; it must start fast, so it imports nothing of the product.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int, parent: int) -> None:
    """Have the kernel send the signal when the parent ends (prctl(2)); a change of user forgets it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the request
        os.kill(os.getpid(), number)


def note_down(name: str, folder: Path) -> None:
    pid = os.getpid()
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    draft = folder / f".{name}.{pid}"
    draft.write_text(json.dumps({"name": name, "pid": pid, "started": started, "boot": boot}))
    draft.replace(folder / f"{name}.pid.json")


def main(name: str) -> None:
    parent = os.getppid()
    folder = Path(os.environ["LLMOPS_STACK_RUN"])
    program = json.loads((folder / "programs.json").read_text())[name]
    note_down(name, folder)
    os.umask(0o077)
    os.chdir(program["folder"])
    if program["uid"] is not None:
        os.setgroups([program["gid"]])
        os.setresgid(program["gid"], program["gid"], program["gid"])
        os.setresuid(program["uid"], program["uid"], program["uid"])
    die_with_parent(getattr(signal, program["parent_signal"]), parent)
    os.execve(program["command"][0], program["command"], {**os.environ, **program["environment"]})


if __name__ == "__main__":
    main(sys.argv[1])
