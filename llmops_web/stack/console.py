"""What the console shows: one line at a time, each with the name of the program that said it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

NAME_WIDTH = 18
LONGEST_LINE = 8_000
#: Kept in the logs only. Valkey cannot be told that its memory holds nothing that could be lost here.
UNSAID = {"valkey": ("WARNING Memory overcommit must be enabled",)}


class LineSplitter:
    """Turns chunks of a program's output into whole lines; holds back what has no end yet, up to a limit."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            yield line.rstrip(b"\r").decode(errors="replace")


def worth_saying(name: str, line: str) -> bool:
    """Whether an operator can do something about it, or should know."""
    return not any(part in line for part in UNSAID.get(name, ()))


def say(name: str, line: str) -> None:
    """A console that went away does not stop the stack; the logs have every line."""
    try:
        sys.stdout.write(f"{name:<{NAME_WIDTH}} | {line}\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError, OSError):
        pass
