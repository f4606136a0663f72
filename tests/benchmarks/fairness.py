"""A run of 100 rows started beside a run of 100,000: how long does it take, and how long alone?

`python -m tests.benchmarks.fairness` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import BenchStack, bench_stack, paced_provider

LARGE, SMALL = 100_000, 100


@dataclass(frozen=True)
class Fairness:
    """Seconds from the request that starts the small run until it has ended."""

    alone_s: float
    beside_s: float
    large_rows_done: int


def measure(stack: BenchStack) -> Fairness:
    stack.add_dataset("large", LARGE)
    stack.add_dataset("small", SMALL)
    _small(stack)  # the worker's first call
    alone = _small(stack)
    large = stack.start_run(dataset="large", name="Large")
    while stack.api(f"eval-runs/{large}/")["counts"]["completed"] < 1000:
        time.sleep(0.1)
    beside = _small(stack)
    done = stack.api(f"eval-runs/{large}/")["counts"]["completed"]
    stack.api(f"eval-runs/{large}/cancel/", {})
    return Fairness(alone, beside, done)


def _small(stack: BenchStack) -> float:
    began = time.perf_counter()
    stack.wait_run(stack.start_run(dataset="small", name="Small"))
    return time.perf_counter() - began


def main() -> None:
    with paced_provider() as provider, bench_stack() as stack:
        stack.prepare(provider.base_url, rows=10)
        print(json.dumps(asdict(measure(stack)), indent=1))


if __name__ == "__main__":
    main()
