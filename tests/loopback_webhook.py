"""A server on loopback that scores what is posted to it, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.loopback_server import LoopbackServer


@dataclass(frozen=True)
class Posted:
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)


class LoopbackWebhook:
    """The running server. `answer` makes (status, body) of what was posted."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answer: Callable[[Any], tuple[int, str]] = lambda value: (200, json.dumps({"score": 1}))
        handler = type("Handler", (_Handler,), {"webhook": self})
        self._server = LoopbackServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/score?for=tests"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    webhook: LoopbackWebhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        posted = Posted({name.lower(): value for name, value in self.headers.items()}, body)
        self.webhook.posted.append(posted)
        status, text = self.webhook.answer(posted.value)
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        if status == 429:
            self.send_header("retry-after", "30")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def loopback_webhook() -> Iterator[LoopbackWebhook]:
    server = LoopbackWebhook()
    yield server
    server.close()
