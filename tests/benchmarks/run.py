"""All benchmarks of the evaluation engine: `make bench`, or `python -m tests.benchmarks.run`.

Each runs in a process and on a stack of its own, one after the other. Prints ratios, keeps the figures in
docs/benchmarks.json, and writes docs/benchmarks.md with machine, date and commit. With `--only` one is
measured anew, and the page keeps the others. Nothing here is asserted by a test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.page import SECTIONS, Figures, page, section

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / "docs" / "benchmarks.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the long run")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the reference work")
    parser.add_argument("--only", choices=tuple(SECTIONS), action="append", help="measure this one anew")
    options = parser.parse_args()
    measures: dict[str, Callable[[], Figures]] = {
        "reference": lambda: _reference(options.rounds),
        "long": lambda: _figures("long_run", str(options.rows)),
        "stopping": lambda: _figures("stopping"),
        "fairness": lambda: _figures("fairness"),
        "comparison": lambda: _figures("comparison"),
        "local": lambda: _local("local_model"),
        "streaming": lambda: _figures("streaming"),
        "prompt-list": lambda: _figures("prompt_list"),
        "typing": lambda: _figures("typing"),
        "thumbs": lambda: _figures("thumbs"),
        "span-list": lambda: _figures("span_list"),
        "annotation-queue": lambda: _figures("annotation_queue"),
        "feedback-pages": lambda: _figures("feedback_pages"),
        "fine-tuning": lambda: _figures("fine_tuning"),
        "adapters": lambda: _local("local_adapters"),
    }
    measured: dict[str, Figures] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name in options.only or measures:
        began = time.monotonic()
        measured[name] = {"figures": measures[name](), **_circumstances()}
        KEPT.write_text(json.dumps(measured, indent=1) + "\n")
        PAGE.write_text(page(measured))
        print(section(name, measured[name]), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
    print(f"Written to {PAGE.relative_to(ROOT)}.")


def _figures(module: str, *arguments: str, **environment: str) -> Figures:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    )
    found: Figures = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def _reference(rounds: int) -> Figures:
    return {"by_workers": [_figures("reference_work", str(workers), str(rounds)) for workers in (1, 2)]}


def _local(module: str) -> Figures:
    """The model lies in the data folder; one of our own keeps the benchmark away from anybody's stack."""
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        return _figures(module, "--json", LLMOPS_DATA_DIR=folder)


def _circumstances() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
