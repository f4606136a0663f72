"""An OpenAI-compatible server of its own process: paced, cheap, and faulty on demand.

It parses as little of HTTP as a client's requests need, so that on a machine of two cores it takes little
from what is measured. Each answer is derived from the last user message (`answer_to`): a mix-up shows.

    python -m tests.benchmarks.paced_provider --latency-ms 50

prints its port and serves until its standard input closes. `POST /control` with a Plan as JSON changes how it
answers; `GET /control` tells how many calls it has had, and how many of each outcome.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import socket
import struct
import sys
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import Any

API_KEY = "paced-key"
MODEL = "paced"


def answer_to(text: str) -> str:
    """What the server answers to a user message: a word that depends on all of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass
class Plan:
    """How calls are answered: a `share` (0 to 1) of them with `fault`, the others after `latency_ms`.

    fault: "", "429" (with Retry-After `retry_after_s`), "500", "reset" (the connection is cut), "hang" (no
    answer for `hang_s`), "not-json", "cut" (half a body, then the connection ends), "half" (half of the JSON
    as if it were all); or several of these with commas between them, which take turns by chance.
    """

    latency_ms: float = 50.0
    fault: str = ""
    share: float = 0.0
    retry_after_s: float = 1.0
    hang_s: float = 60.0
    seed: int = 7


class PacedServer:
    def __init__(self, plan: Plan) -> None:
        self.outcomes: Counter[str] = Counter()
        self.most_at_once = 0
        self.at_once = 0
        self.set_plan(plan)

    def set_plan(self, plan: Plan) -> None:
        self.plan = plan
        self._random = random.Random(plan.seed)

    def fault(self) -> str:
        if self._random.random() >= self.plan.share:
            return ""
        return self._random.choice(self.plan.fault.split(","))

    def told(self) -> dict[str, Any]:
        return {"outcomes": dict(self.outcomes), "most_at_once": self.most_at_once, "plan": asdict(self.plan)}


class PacedProtocol(asyncio.Protocol):
    """One connection. A client sends its next request when it has the answer to the one before."""

    def __init__(self, server: PacedServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head_end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:head_end])
            length = _content_length(head)
            if len(self._received) < head_end + 4 + length:
                return
            body = bytes(self._received[head_end + 4 : head_end + 4 + length])
            del self._received[: head_end + 4 + length]
            self._handle(head, body)

    def _handle(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if path == b"/control":
            if method == b"POST":
                known = {field.name for field in fields(Plan)}
                self._server.set_plan(Plan(**{k: v for k, v in json.loads(body).items() if k in known}))
            self._send(200, self._server.told())
        elif path == b"/v1/models":
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1}]})
        elif path == b"/v1/chat/completions":
            self._complete(json.loads(body))
        else:
            self._send(404, {"error": {"message": "Not Found"}})

    def _complete(self, request: dict[str, Any]) -> None:
        server = self._server
        server.at_once += 1
        server.most_at_once = max(server.most_at_once, server.at_once)
        fault = server.fault()
        server.outcomes[fault or "ok"] += 1
        wait = server.plan.hang_s if fault == "hang" else server.plan.latency_ms / 1000
        self._loop.call_later(wait, self._answer, fault, request)

    def _answer(self, fault: str, request: dict[str, Any]) -> None:
        self._server.at_once -= 1
        if self._transport is None:
            return
        if fault == "429":
            error = {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}
            self._send(429, {"error": error}, f"Retry-After: {self._server.plan.retry_after_s:g}\r\n")
        elif fault == "500":
            self._send(500, {"error": {"message": "The server had an error.", "type": "server_error"}})
        elif fault == "reset":
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        elif fault == "not-json":
            self._write(200, b"<html><body>Bad gateway</body></html>", "text/html")
        else:
            whole = json.dumps(_completion(request)).encode()
            if fault == "half":
                whole = whole[: len(whole) // 2]
            self._write(200, whole, "application/json", sent=len(whole) // 2 if fault == "cut" else None)

    def _send(self, status: int, value: Any, extra: str = "") -> None:
        self._write(status, json.dumps(value).encode(), "application/json", extra)

    def _write(self, status: int, body: bytes, kind: str, extra: str = "", sent: int | None = None) -> None:
        if self._transport is None:
            return
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self._transport.write(head.encode() + (body if sent is None else body[:sent]))
        if sent is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _completion(request: dict[str, Any]) -> dict[str, Any]:
    asked = next((m["content"] for m in reversed(request["messages"]) if m["role"] == "user"), "")
    words = sum(len(str(message["content"]).split()) for message in request["messages"])
    return {
        "id": "chatcmpl-paced",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer_to(asked)},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {"prompt_tokens": words, "completion_tokens": 1, "total_tokens": words + 1},
    }


async def _serve(plan: Plan, port: int) -> None:
    server = PacedServer(plan)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: PacedProtocol(server), "127.0.0.1", port, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(_serve(Plan(latency_ms=options.latency_ms), options.port))


if __name__ == "__main__":
    main()
