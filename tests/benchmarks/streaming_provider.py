"""An OpenAI-compatible server of its own process that streams words at a steady pace, and does little else.

    python -m tests.benchmarks.streaming_provider --words 60 --every-ms 33

prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = "streaming"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Server:
    def __init__(self, words: int, every_s: float) -> None:
        self._words = words
        self._every_s = every_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(_HEAD)
            await self._stream(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        for number in range(self._words):
            await asyncio.sleep(self._every_s)
            writer.write(_chunk({"content": f"word{number} "}))
            await writer.drain()
        writer.write(_chunk({}, finish="stop", usage={"prompt_tokens": 1, "completion_tokens": self._words}))
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()


def _chunk(delta: dict[str, str], *, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(frame | ({"usage": usage} if usage else {})).encode() + b"\n\n"


@contextmanager
def streaming_provider(*, words: int, every_ms: float) -> Iterator[str]:
    """The server in a process of its own; gives its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.streaming_provider"]
    command += ["--words", str(words), "--every-ms", str(every_ms)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.stdin.close()
        process.wait(10)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, required=True)
    parser.add_argument("--every-ms", type=float, required=True)
    options = parser.parse_args()
    server = Server(options.words, options.every_ms / 1000)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=256)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
