"""A server on loopback that speaks OpenAI's chat completions and models protocol, and can misbehave.

`loopback_provider` is the fixture. By default it answers with the last user message, wants the key
`loopback-key`, and knows the models `loop-small` and `loop-large`. A test changes `behaviour`, by hand
or for the next few calls only:

    loopback_provider.behaviour = Behaviour(mode="429", retry_after="2", calls=3)

Every call is kept in `calls`, so that a test can see what was really sent.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.loopback_answers import ERRORS, chunks_of, completion, models_listing, unknown_model
from tests.loopback_server import LoopbackServer

API_KEY = "loopback-key"
_LONGEST_HELD_S = 120.0
MODELS = ("loop-small", "loop-large")


@dataclass
class Behaviour:
    """How the server answers. `calls` bounds it to the next so many calls; None is until changed.

    mode: ok, a key of `loopback_answers.ERRORS`, reset (drops the connection), hang (never answers),
    garbage (an HTML page with status 200), not-json, empty (no choices), redirect (to `location`), drip (a
    byte every 50 ms, without end), truncated (half a body).
    """

    mode: str = "ok"
    latency_s: float = 0.0
    #: Between the pieces of a stream.
    chunk_delay_s: float = 0.0
    #: After its first words, a stream waits until this is set.
    held_until: threading.Event | None = None
    retry_after: str | None = None
    location: str = "http://169.254.169.254/latest/meta-data/"
    calls: int | None = None
    usage: bool = True
    finish_reason: str = "stop"
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    reply: Callable[[dict[str, Any]], str] | None = None


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class LoopbackProvider:
    """The running server. `base_url` ends in /v1."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.calls: list[Call] = []
        self.models: tuple[str, ...] = MODELS
        self.api_key = API_KEY
        self.most_at_once = 0
        self.at_once = 0
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        handler = type("Handler", (self.handler_class(),), {"provider": self})
        self._server = LoopbackServer(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @staticmethod
    def handler_class() -> type[BaseHTTPRequestHandler]:
        return LoopbackHandler

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def completions(self) -> list[Call]:
        return [call for call in self.calls if call.path.endswith("/chat/completions")]

    def take(self, call: Call) -> Behaviour:
        """Note the call; the behaviour that holds for it."""
        with self._lock:
            self.calls.append(call)
            now = self.behaviour
            if now.calls is not None:
                now.calls -= 1
                if now.calls < 0:
                    self.behaviour = now = Behaviour()
            return now

    def enter(self) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def leave(self) -> None:
        with self._lock:
            self.at_once -= 1

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class LoopbackHandler(BaseHTTPRequestHandler):
    provider: LoopbackProvider
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.provider.enter()
        try:
            behaviour = self.provider.take(Call(self.command, self.path, headers, body))
            self.provider.stopping.wait(behaviour.latency_s)
            if not self._misbehave(behaviour):
                self._answer(behaviour, headers, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.provider.leave()

    def _answer(self, behaviour: Behaviour, headers: dict[str, str], body: dict[str, Any]) -> None:
        if self.provider.api_key and headers.get("authorization") != f"Bearer {self.provider.api_key}":
            self._error("401", behaviour)
        elif self.path == "/v1/models":
            self._json(200, models_listing(self.provider.models))
        elif self.path != "/v1/chat/completions":
            self._error("404", behaviour)
        elif body.get("model") not in self.provider.models:
            self._json(404, unknown_model(body.get("model")))
        elif body.get("stream"):
            self._stream(completion(body, behaviour), body, behaviour)
        else:
            self._json(200, completion(body, behaviour))

    def _misbehave(self, behaviour: Behaviour) -> bool:
        mode = behaviour.mode
        if mode == "ok":
            return False
        if mode in ERRORS:
            self._error(mode, behaviour)
        elif mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif mode == "hang":
            self.provider.stopping.wait(60)
            self.close_connection = True
        elif mode == "garbage":
            self._bytes(200, b"<html><body>Welcome to nginx!</body></html>", "text/html")
        elif mode == "not-json":
            self._bytes(200, b'{"choices": [', "application/json")
        elif mode == "empty":
            self._json(200, {"id": "x", "object": "chat.completion", "choices": []})
        elif mode == "redirect":
            self._bytes(307, b"", "text/plain", {"Location": behaviour.location})
        elif mode == "drip":
            self._drip()
        elif mode == "truncated":
            self._head(200, "application/json", {"Content-Length": "1000"})
            self.wfile.write(b'{"choices"')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            raise AssertionError(f"The loopback provider knows no mode {mode!r}.")
        return True

    def _drip(self) -> None:
        self._head(200, "application/json", {"Transfer-Encoding": "chunked"})
        while not self.provider.stopping.wait(0.05):
            self.wfile.write(b"1\r\n \r\n")
            self.wfile.flush()

    def _error(self, mode: str, behaviour: Behaviour) -> None:
        status, error = ERRORS[mode]
        extra = {"Retry-After": behaviour.retry_after} if behaviour.retry_after is not None else {}
        self._json(status, {"error": error}, extra)

    def _json(self, status: int, value: Any, extra: dict[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(value).encode(), "application/json", extra)

    def _bytes(self, status: int, body: bytes, kind: str, extra: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"Content-Length": str(len(body)), **(extra or {})})
        self.wfile.write(body)

    def _head(self, status: int, kind: str, extra: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, whole: dict[str, Any], body: dict[str, Any], behaviour: Behaviour) -> None:
        self._head(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
        for event in chunks_of(
            whole, with_usage=bool((body.get("stream_options") or {}).get("include_usage"))
        ):
            self._event(event)
            if behaviour.chunk_delay_s:
                self.provider.stopping.wait(behaviour.chunk_delay_s)
            if behaviour.held_until is not None and _has_words(event):
                behaviour.held_until.wait(_LONGEST_HELD_S)
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(value)}\n\n".encode())

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()


def _has_words(event: dict[str, Any]) -> bool:
    return any((choice.get("delta") or {}).get("content") for choice in event["choices"])


@pytest.fixture
def loopback_provider() -> Iterator[LoopbackProvider]:
    """A server of its own for one test."""
    provider = LoopbackProvider()
    yield provider
    provider.stop()
