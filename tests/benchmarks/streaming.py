"""How soon what a model says is on the page: one stream alone, and forty at once.

`python -m tests.benchmarks.streaming` on its own; `make bench` calls it too. The pages are clients of this
process on loopback; an event says when its text reached the worker, on the same machine's clock.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack
from tests.benchmarks.streaming_provider import MODEL, streaming_provider

AT_ONCE = 40
ALONE, TOGETHER = 10, 2
WORDS, EVERY_MS = 200, 33.0
#: So long after each other the first and the last of the pages at once click.
SPREAD_S = 2.0
_TOKEN = "b" * 32
_MESSAGE = {"role": "user", "content": "Say something.", "name": "", "tool_call_id": "", "tool_calls": ""}
_PARTS = ("temperature", "top_p", "max_tokens", "seed", "stop", "extra", "tools", "response_schema")
_ENDS = ("done", "failed", "cancelled")


@dataclass
class Stream:
    """What one page saw, in milliseconds: from the click, and from the worker, to the page."""

    click_to_first: float = 0.0
    first: float = 0.0
    pieces: list[float] = field(default_factory=list)
    end: str = ""
    first_at: float = 0.0
    end_at: float = 0.0
    call: str = ""

    @property
    def first_to_end_ms(self) -> float:
        return (self.end_at - self.first_at) * 1000


@dataclass(frozen=True)
class Delays:
    """Milliseconds from a piece's arrival at the worker until the page has it: the first pieces, and all.

    `click_ms` is the median from the click to the first piece; the provider waits `EVERY_MS` of it.
    `together`: every page had its first piece before any had its last.
    """

    streams: int
    calls: int
    first_ms: float
    first_p95_ms: float
    all_ms: float
    all_p95_ms: float
    click_ms: float
    together: bool


def measure(stack: BenchStack, base_url: str) -> dict[str, Any]:
    provider = {"name": "Streaming", "kind": "openai", "base_url": base_url, "api_key": "k"}
    stack.api("providers/", {**provider, "max_concurrency": 64})
    stack.api("prompts/", {"name": "Ask"})
    stack.open_page(f"p/{PROJECT}/prompts/ask/")
    asyncio.run(_round(stack, AT_ONCE))  # what a process does once: imports, connections
    alone = [asyncio.run(_round(stack, 1)) for _ in range(ALONE)]
    together = [asyncio.run(_round(stack, AT_ONCE)) for _ in range(TOGETHER)]
    stopped = [asyncio.run(_page(stack, 0, stops=True)).first_to_end_ms for _ in range(ALONE)]
    return {
        "stop_ms": median(stopped),
        "stop_most_ms": max(stopped),
        "words": WORDS,
        "every_ms": EVERY_MS,
        "delays": [asdict(_delays(1, alone)), asdict(_delays(AT_ONCE, together))],
    }


async def _round(stack: BenchStack, streams: int) -> list[Stream]:
    waits = [SPREAD_S * number / streams for number in range(streams)]
    seen = await asyncio.gather(*(_page(stack, wait) for wait in waits))
    wrong = [each.end for each in seen if each.end != "done"]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {streams} streams ended as {wrong[0] or 'nothing'}.")
    return seen


async def _page(stack: BenchStack, wait_s: float, *, stops: bool = False) -> Stream:
    """What a page sees of one call, which it asks to be stopped at its first piece where it `stops`."""
    page, seen = str(uuid4()), Stream()
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(
        f"GET /p/{PROJECT}/prompts/ask/stream/?page={page} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Cookie: llmops_session={stack.cookie}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    await reader.readuntil(b"retry:")
    await asyncio.sleep(wait_s)
    clicked = time.time()
    await asyncio.to_thread(_run, stack, page)
    async for line in reader:
        if line.startswith(b"data: "):
            _take(seen, json.loads(line[6:]), clicked)
            if stops and len(seen.pieces) == 1:
                stops = False
                await asyncio.to_thread(_post, stack, f"-/calls/{seen.call}/stop/", {})
        if seen.end:
            break
    writer.close()
    return seen


def _take(seen: Stream, event: dict[str, Any], clicked: float) -> None:
    now = time.time()
    if event["type"] == "text":
        delay = (now - event["at"]) * 1000
        if not seen.pieces:
            seen.first, seen.first_at, seen.click_to_first = delay, now, (now - clicked) * 1000
            seen.call = event["call"]
        seen.pieces.append(delay)
    elif event["type"] in _ENDS:
        seen.end, seen.end_at = event["type"], now


def _run(stack: BenchStack, page: str) -> None:
    typed = {"messages": [_MESSAGE], "model": f"streaming/{MODEL}", **dict.fromkeys(_PARTS, "")}
    columns = [{"id": "a", "typed": typed, "base": None}]
    _post(stack, "ask/run/", {"page": page, "columns": columns, "values": {}})


def _post(stack: BenchStack, address: str, body: dict[str, Any]) -> None:
    headers = {
        "Cookie": f"llmops_session={stack.cookie}; llmops_csrf={_TOKEN}",
        "X-CSRFToken": _TOKEN,
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    url = f"{stack.url}/p/{PROJECT}/prompts/{address}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _delays(streams: int, rounds: list[list[Stream]]) -> Delays:
    seen = [stream for each in rounds for stream in each]
    firsts = [stream.first for stream in seen]
    pieces = [delay for stream in seen for delay in stream.pieces]
    return Delays(
        streams=streams,
        calls=len(seen),
        first_ms=median(firsts),
        first_p95_ms=quantiles(firsts, n=20)[-1],
        all_ms=median(pieces),
        all_p95_ms=quantiles(pieces, n=20)[-1],
        click_ms=median(stream.click_to_first for stream in seen),
        together=all(
            max(stream.first_at for stream in each) < min(stream.end_at for stream in each) for each in rounds
        ),
    )


def main() -> None:
    with streaming_provider(words=WORDS, every_ms=EVERY_MS) as base_url, bench_stack() as stack:
        print(json.dumps(measure(stack, base_url), indent=1))


if __name__ == "__main__":
    main()
