"""How soon pause, resume and cancel take hold in a run under load.

`python -m tests.benchmarks.stopping` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import BenchStack, Paced, bench_stack, paced_provider

ROWS = 20_000
#: So long without another call reaching the provider, the run stands still.
_STILL_S = 0.6


@dataclass(frozen=True)
class Stopping:
    """Seconds from the request until the provider gets no more calls (pause, cancel), or one (resume)."""

    pause_s: float
    resume_s: float
    cancel_s: float


def measure(provider: Paced, stack: BenchStack) -> Stopping:
    stack.add_dataset("long", ROWS)
    run = stack.start_run(dataset="long", name="Stopping")
    _first_call_after(provider, _calls(provider))
    paused = _stopped(provider, stack, f"eval-runs/{run}/pause/")
    before, began = _calls(provider), time.monotonic()
    stack.api(f"eval-runs/{run}/resume/", {})
    resumed = _first_call_after(provider, before) - began
    cancelled = _stopped(provider, stack, f"eval-runs/{run}/cancel/")
    return Stopping(paused, resumed, cancelled)


def _stopped(provider: Paced, stack: BenchStack, path: str) -> float:
    began = time.monotonic()
    stack.api(path, {})
    last, last_at = _calls(provider), time.monotonic()
    while time.monotonic() - last_at < _STILL_S:
        now = _calls(provider)
        if now != last:
            last, last_at = now, time.monotonic()
        time.sleep(0.02)
    return last_at - began


def _first_call_after(provider: Paced, calls: int) -> float:
    deadline = time.monotonic() + 60
    while _calls(provider) <= calls:
        if time.monotonic() > deadline:
            raise TimeoutError("No call reached the provider within a minute.")
        time.sleep(0.02)
    return time.monotonic()


def _calls(provider: Paced) -> int:
    return sum(provider.control()["outcomes"].values())


def main() -> None:
    with paced_provider() as provider, bench_stack() as stack:
        stack.prepare(provider.base_url, rows=10)
        print(json.dumps(asdict(measure(provider, stack)), indent=1))


if __name__ == "__main__":
    main()
