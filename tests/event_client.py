"""Reading server-sent events as a browser does: an iterator of (id, event), over a plain socket."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit


class EventClient:
    """One open stream. `read` gives events with `received_at` added; `last_id` is where to go on after."""

    def __init__(self, url: str, *, cookie: str, last_id: str = "", timeout_s: float = 30) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
        headers = {"Cookie": cookie, "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        self._connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.last_id = last_id
        self.comments = 0

    def read(self) -> Iterator[dict[str, Any]]:
        while line := self.response.readline():
            if line.startswith(b"id: "):
                self.last_id = line[4:].strip().decode()
            elif line.startswith(b":"):
                self.comments += 1
            elif line.startswith(b"data: "):
                yield {**json.loads(line[6:]), "received_at": time.time()}

    def until(self, *types: str, ends: int = 1) -> list[dict[str, Any]]:
        """The events up to the `ends`-th of these types."""
        events = []
        for event in self.read():
            events.append(event)
            ends -= event["type"] in types
            if ends == 0:
                return events
        raise AssertionError(f"The stream ended before {types}: {[event['type'] for event in events]}")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> EventClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
