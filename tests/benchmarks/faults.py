"""`make faults`: a run under each fault, on the real stack, and what became of every row.

    python -m tests.benchmarks.faults [--only NAME …] [--rows N]

prints a table; a whole round at the full number of rows also writes docs/reliability.md. Ends with 1 when
anything was lost, doubled or wrong, or a run did not come to its end by itself.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmops_web.stack.waiting import last_words
from tests.benchmarks.bench_stack import Paced, paced_provider, remove
from tests.benchmarks.faults_audit import Audit, audit_run
from tests.benchmarks.faults_drills import DRILLS, Drill
from tests.benchmarks.faults_report import HEADINGS, Outcome, cells, line, write_page
from tests.benchmarks.faults_stack import FaultyStack, Scene

ROWS = 2000
#: A run that takes longer has not come to its end by itself.
PATIENCE_S = 300.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="A run under each fault, on the real stack.")
    names = [drill.name for drill in DRILLS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the run ({ROWS})")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end, tidy up as after Ctrl-C
    chosen = [drill for drill in DRILLS if not options.only or drill.name in options.only]
    began = time.monotonic()
    outcomes = list(run_drills(chosen, options.rows))
    took = time.monotonic() - began
    print(f"{len(outcomes)} faults in {took:.0f} s.")
    if len(chosen) == len(DRILLS) and options.rows == ROWS:
        print(f"Written: {write_page(outcomes, options.rows, took)}")
    bad = [outcome.drill.name for outcome in outcomes if not outcome.survived]
    if bad:
        print(f"Not survived: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


def run_drills(drills: list[Drill], rows: int) -> Iterator[Outcome]:
    """One after the other on one stack, as faults come in life; a new one after a fault not survived."""
    left = list(drills)
    print(line(HEADINGS), flush=True)
    while left:
        with paced_provider() as provider, _running_stack(provider, rows) as stack:
            while left:
                outcome = run_drill(left.pop(0), stack, provider, rows)
                print(line(cells(outcome)), flush=True)
                yield outcome
                if not outcome.survived:
                    _show_logs(stack, outcome)
                    break


@contextmanager
def _running_stack(provider: Paced, rows: int) -> Iterator[FaultyStack]:
    stack = FaultyStack(Path(tempfile.mkdtemp(prefix="llmops-faults-")))
    try:
        stack.start()
        stack.prepare(provider.base_url, rows=rows)
        yield stack
    finally:
        stack.stop()
        remove(stack)


def run_drill(drill: Drill, stack: FaultyStack, provider: Paced, rows: int) -> Outcome:
    provider.control(latency_ms=50, **drill.provider)
    before = provider.control()["outcomes"]
    scene = Scene(stack, provider, rows, name=drill.name)
    began = time.monotonic()
    for _ in range(drill.runs):
        scene.start_run()
    problem = ""
    try:
        drill.strike(scene)
        ends = [stack.await_end(run, seconds=PATIENCE_S) for run in scene.runs]
    except Exception as error:  # the drill itself went wrong: told as what it is, and the round goes on
        problem, ends = f"{type(error).__name__}: {error}", [None]
    took = time.monotonic() - began
    drill.undo(scene)
    answers = provider.control()["outcomes"]
    return Outcome(
        drill=drill,
        audit=sum((audit_run(stack.paths.database_url, run) for run in scene.runs), Audit()),
        calls=scene.calls(),
        faulty_answers=sum(count - before.get(name, 0) for name, count in answers.items() if name != "ok"),
        struck_at=tuple(scene.struck_at),
        seconds=took,
        state=", ".join(sorted({end["status"] if end else "not ended" for end in ends})),
        figures_right=all(_figures_right(end, rows) for end in ends),
        problem=problem,
    )


def _figures_right(end: dict[str, Any] | None, rows: int) -> bool:
    """The counts and the mean that the product tells are those of a run in which every row went right."""
    if end is None:
        return False
    counts = {"total": rows, "completed": rows, "failed": 0, "cancelled": 0, "pending": 0}
    metrics = [(metric["n"], metric["missing"], metric["mean"]) for metric in end["metrics"]]
    return end["counts"] == counts and metrics == [(rows, 0, 1.0)]


def _show_logs(stack: FaultyStack, outcome: Outcome) -> None:
    """What the stack said, before its folder goes."""
    print(f"--- {outcome.drill.name}: {outcome.problem or outcome.state}", file=sys.stderr)
    for log in (stack.console, *sorted(stack.paths.logs.glob("worker-*.log"))):
        print(f"--- the end of {log.name}\n{last_words(log)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
