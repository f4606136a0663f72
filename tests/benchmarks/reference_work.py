"""The reference work: 2,000 rows, a provider that answers after 50 ms, 32 calls at once, exact match.

Through REST, Celery and Postgres, from the request that starts the run to its terminal state, as a multiple
of what a bare asyncio loop over the openai SDK takes for the same calls, which stores nothing. Both are
measured in turn, so that a machine whose speed drifts spoils neither.

`python -m tests.benchmarks.reference_work [WORKERS] [ROUNDS]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime

from tests.benchmarks.bench_stack import ROOT, BenchStack, Paced, bench_stack, paced_provider

ROWS, CONCURRENCY, LATENCY_MS = 2_000, 32, 50.0
#: How often REST is asked whether the run has ended; when it did stands in the answer.
_ASK_EVERY_S = 0.5
#: No runner can be faster: each of the calls at once makes so many, one after the other.
FLOOR_S = ROWS / CONCURRENCY * LATENCY_MS / 1000


@dataclass(frozen=True)
class ReferenceWork:
    """Medians over the rounds; `ratio` is the median of the ratios round by round. The first round, in which
    the worker makes its first call, is told apart.
    """

    workers: int
    rounds: int
    bare_s: float
    ours_s: float
    ratio: float
    ratios: list[float]
    first_ratio: float


def measure(provider: Paced, stack: BenchStack, *, workers: int, rounds: int = 5) -> ReferenceWork:
    pairs = [(_bare(provider), _ours(stack)) for _ in range(rounds + 1)]
    ratios = [ours / bare for bare, ours in pairs]
    return ReferenceWork(
        workers=workers,
        rounds=rounds,
        bare_s=statistics.median(bare for bare, _ in pairs[1:]),
        ours_s=statistics.median(ours for _, ours in pairs[1:]),
        ratio=statistics.median(ratios[1:]),
        ratios=[round(ratio, 2) for ratio in ratios[1:]],
        first_ratio=ratios[0],
    )


def _bare(provider: Paced) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.bare_loop", provider.base_url]
    done = subprocess.run(
        [*command, str(ROWS), str(CONCURRENCY)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _ours(stack: BenchStack) -> float:
    began = time.time()
    answer = stack.wait_run(stack.start_run(name="Reference work"), every_s=_ASK_EVERY_S)
    ended = datetime.fromisoformat(answer["finished_at"]).timestamp()
    counts = answer["counts"]
    if answer["status"] != "completed" or counts["completed"] != ROWS:
        raise RuntimeError(f"The run is {answer['status']}: {counts}")
    return ended - began


def measure_with(workers: int, rounds: int = 5) -> ReferenceWork:
    """On a stack of its own with so many `llm` workers."""
    with (
        paced_provider(LATENCY_MS) as provider,
        bench_stack(LLMOPS_LLM_WORKERS=str(workers)) as stack,
    ):
        stack.prepare(provider.base_url, rows=ROWS, concurrency=CONCURRENCY)
        return measure(provider, stack, workers=workers, rounds=rounds)


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(json.dumps(asdict(measure_with(workers, rounds)), indent=1))


if __name__ == "__main__":
    main()
