"""A run of 100,000 rows: is memory bounded, does the last row take no longer than the first, do pages answer?

`python -m tests.benchmarks.long_run [ROWS]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_stack import ENDED, BenchStack, bench_stack, paced_provider

ROWS = 100_000
_LOOK_EVERY_S = 3.0


@dataclass(frozen=True)
class LongRun:
    """`growth_mb`: memory of the worker from the thousandth row to the last. `last_to_first`: time per row of
    the last tenth as a multiple of the second tenth's. Milliseconds are medians while the run was running.
    """

    rows: int
    seconds: float
    growth_mb: float
    last_to_first: float
    api_ms: float
    page_ms: float
    completed: int


def measure(stack: BenchStack, rows: int) -> LongRun:
    stack.add_dataset("many", rows)
    stack.open_page("")  # signed in, templates compiled
    run = stack.start_run(dataset="many", name="Many rows")
    number = stack.api(f"eval-runs/{run}/")["number"]
    began, at_thousand = time.monotonic(), 0.0
    seen: list[tuple[float, int]] = []
    api_ms, page_ms, memory = list[float](), list[float](), 0.0
    while True:
        api_s, answer = _timed(lambda: stack.api(f"eval-runs/{run}/"))
        done = answer["counts"]["completed"]
        memory = _memory_mb(stack)
        if not at_thousand and done >= 1000:
            at_thousand = memory
        seen.append((time.monotonic() - began, done))
        if answer["status"] in ENDED:
            break
        page_s, _ = _timed(lambda: stack.open_page(f"p/bench/runs/{number}/"))
        api_ms.append(api_s * 1000)
        page_ms.append(page_s * 1000)
        time.sleep(_LOOK_EVERY_S)
    return LongRun(
        rows=rows,
        seconds=seen[-1][0],
        growth_mb=memory - at_thousand,
        last_to_first=_pace(seen, 0.9, 1.0, rows) / _pace(seen, 0.1, 0.2, rows),
        api_ms=statistics.median(api_ms),
        page_ms=statistics.median(page_ms),
        completed=seen[-1][1],
    )


def _pace(seen: list[tuple[float, int]], low: float, high: float, rows: int) -> float:
    """Seconds per row between two shares of the run."""
    times = [next(at for at, done in seen if done >= rows * share) for share in (low, high)]
    done = [next(done for _, done in seen if done >= rows * share) for share in (low, high)]
    return (times[1] - times[0]) / max(1, done[1] - done[0])


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def _memory_mb(stack: BenchStack) -> float:
    """Resident memory of the llm worker that uses most."""
    used = []
    for pid in stack.pids("worker-llm"):
        status = Path(f"/proc/{pid}/status").read_text()
        used.append(int(status.split("VmRSS:")[1].split()[0]) / 1000)
    return max(used)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with paced_provider() as provider, bench_stack() as stack:
        stack.prepare(provider.base_url, rows=10)
        print(json.dumps(asdict(measure(stack, rows)), indent=1))


if __name__ == "__main__":
    main()
