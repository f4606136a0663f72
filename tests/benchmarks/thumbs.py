"""Thumbs of end users: how many a second are accepted, each on disk before it is answered.

`python -m tests.benchmarks.thumbs` on its own; `make bench` calls it too. Every vote is of a user of its own
on an answer of its own, sent over HTTP to the stack as it is installed, by a process of the same machine.
First at a steady rate, then as many as there go.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from statistics import median, quantiles

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack

RATE, STEADY_S = 150, 20
MOST = 4_000
CONNECTIONS = 16
_WARM = 200
_MAKE = """
from apps.core.models import Project
from apps.feedback.models import FeedbackSettings
from apps.feedback.thumbs.tokens import feedback_token, subject_of
from tests.benchmarks.many_answers import make_answers
project = Project.objects.get(slug="{project}")
FeedbackSettings.objects.update_or_create(
    project=project, defaults={{"project_per_minute": 0, "address_per_minute": 0}}
)
for number, span in enumerate(make_answers(project, {votes})):
    subject = subject_of(project_id=project.pk, user=str(number))
    print(feedback_token(project_id=project.pk, span_id=span, subject=subject))
"""
_COUNT = """
from apps.feedback.models import Feedback
from apps.traces.models import SpanScore
print(Feedback.objects.count(), SpanScore.objects.count())
"""


@dataclass(frozen=True)
class Accepted:
    """Votes that were answered with 200, and milliseconds from sending one to its answer."""

    votes: int
    a_second: float
    median_ms: float
    p95_ms: float
    worst_ms: float


class Sender:
    """One connection that is kept, as a browser or an application's server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, token: str) -> float:
        """Milliseconds until the answer. Raises RuntimeError for any but 200."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        body = json.dumps({"token": token, "thumb": "up"}).encode()
        began = time.perf_counter()
        self._writer.write(
            b"POST /api/v1/feedback/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        told = await self._reader.readexactly(length)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(told.decode())
        return (time.perf_counter() - began) * 1000


async def send_steadily(port: int, tokens: list[str], rate: float) -> Accepted:
    """At `rate` votes a second; one that waits for a free connection waits as part of its time."""
    free: asyncio.Queue[Sender] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Sender(port))
    times: list[float] = []
    began = time.perf_counter()

    async def one(token: str) -> None:
        due = time.perf_counter()
        sender = await free.get()
        await sender.send(token)
        free.put_nowait(sender)
        times.append((time.perf_counter() - due) * 1000)

    tasks = []
    for number, token in enumerate(tokens):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(token)))
    await asyncio.gather(*tasks)
    return accepted(times, time.perf_counter() - began)


async def send_all(port: int, tokens: list[str]) -> Accepted:
    """As many at once as there are connections, the next as soon as one is answered."""
    waiting, times = iter(tokens), []

    async def sending() -> None:
        sender = Sender(port)
        for token in waiting:
            times.append(await sender.send(token))

    began = time.perf_counter()
    await asyncio.gather(*(sending() for _ in range(CONNECTIONS)))
    return accepted(times, time.perf_counter() - began)


def accepted(times: list[float], seconds: float) -> Accepted:
    p95 = quantiles(times, n=20)[-1]
    return Accepted(len(times), len(times) / seconds, median(times), p95, max(times))


def measure(stack: BenchStack) -> dict[str, object]:
    steady = RATE * STEADY_S
    votes = _WARM + steady + MOST
    tokens = stack.manage("shell", "-v0", "-c", _MAKE.format(project=PROJECT, votes=votes)).split()
    asyncio.run(send_all(stack.port, tokens[:_WARM]))  # what a process does once: imports, connections
    steadily = asyncio.run(send_steadily(stack.port, tokens[_WARM : _WARM + steady], RATE))
    most = asyncio.run(send_all(stack.port, tokens[_WARM + steady :]))
    kept, scored = map(int, stack.manage("shell", "-v0", "-c", _COUNT).split())
    return {
        "rate": RATE,
        "connections": CONNECTIONS,
        "steady": asdict(steadily),
        "most": asdict(most),
        "sent": votes,
        "kept": kept,
        "scored": scored,
    }


def main() -> None:
    with bench_stack() as stack:
        print(json.dumps(measure(stack), indent=1))


if __name__ == "__main__":
    main()
