"""Reading what a trainer writes while it writes it: its events and its log, from where one stood."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

Event = dict[str, Any]
_AT_ONCE = 4 << 20
_LINE_END = re.compile(rb"[\r\n]+")
#: A progress bar redraws itself; its lines are no news.
_BAR = re.compile(r"\d+%\|")
#: What the trainer prints of its events for whoever runs it by hand; the events themselves are read.
_ECHOES = ("— ", "warning: ")


class Tail:
    """The whole lines that were appended to a file since the last look; it need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = None if not path.exists() else path.open("rb")
        self._rest = b""

    def lines(self, *, ended: bool = False) -> list[bytes]:
        """With `ended`, also a last line that has no end."""
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = self._path.open("rb")
        content = self._rest + self._file.read(_AT_ONCE)
        *whole, self._rest = _LINE_END.split(content)
        if ended and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        return [line for line in whole if line.strip()]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def events_in(lines: list[bytes]) -> list[Event]:
    """A line that is no event (a process killed in the middle of one) is passed over."""
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            found.append(event)
    return found


def log_in(lines: list[bytes], *, longest: int = 2_000) -> list[str]:
    """Lines of a log as text, without progress bars and echoes of events; the database takes no NUL."""
    texts = (line.decode("utf-8", "replace").replace("\x00", "").rstrip() for line in lines)
    return [text[:longest] for text in texts if not (_BAR.search(text) or text.startswith(_ECHOES))]
