"""All benchmarks of the evaluation engine: `make bench`, or `python -m tests.benchmarks.run`.

Each runs in a process and on a stack of its own, one after the other. Prints ratios, and writes
docs/benchmarks.md with the machine, the date and the commit. Nothing here is asserted by a test.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the long run")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the reference work")
    parser.add_argument(
        "--only",
        choices=("reference", "long", "stopping", "fairness", "local"),
        help="one of them, unwritten",
    )
    options = parser.parse_args()
    wanted = {
        "reference": lambda: _reference(options.rounds),
        "long": lambda: _long(_figures("long_run", str(options.rows))),
        "stopping": lambda: _stopping(_figures("stopping")),
        "fairness": lambda: _fairness(_figures("fairness")),
        "local": lambda: _local(_local_figures()),
    }
    sections = []
    for name, measure in wanted.items():
        if options.only in (None, name):
            began = time.monotonic()
            sections.append(measure())
            print(sections[-1], f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
    if options.only is None:
        PAGE.write_text("\n\n".join([_head(), *sections]) + "\n")
        print(f"Written to {PAGE.relative_to(ROOT)}.")


def _figures(module: str, *arguments: str, **environment: str) -> Figures:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    )
    found: Figures = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def _local_figures() -> Figures:
    """The model lies in the data folder; one of our own keeps the benchmark away from anybody's stack."""
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        return _figures("local_model", "--json", LLMOPS_DATA_DIR=folder)


def _reference(rounds: int) -> str:
    lines = [
        "## The reference work",
        "",
        "2,000 rows, a provider that answers after 50 ms, 32 calls at once, exact match; through",
        "REST, Celery and Postgres, from the request that starts the run until REST says that it has",
        "ended. The yardstick is a bare asyncio loop over the openai SDK that makes the same calls",
        "and stores nothing, measured in turn with it. No runner can be faster than 3.1 s.",
        "",
        "| `llm` workers | bare loop | ours | ratio (median) | each round | first round after a start |",
        "|---:|---:|---:|---:|---|---:|",
    ]
    for workers in (1, 2):
        found = _figures("reference_work", str(workers), str(rounds))
        each = ", ".join(f"{ratio:.2f}" for ratio in found["ratios"])
        lines.append(
            f"| {workers} | {found['bare_s']:.2f} s | {found['ours_s']:.2f} s | {found['ratio']:.2f} "
            f"| {each} | {found['first_ratio']:.2f} |"
        )
    return "\n".join(lines)


def _long(found: Figures) -> str:
    return "\n".join(
        [
            f"## A run of {found['rows']:,} rows",
            "",
            "The same provider and evaluator; page and API are asked every three seconds while it runs.",
            "",
            "| | |",
            "|---|---:|",
            f"| completed | {found['completed']:,} in {found['seconds']:.0f} s |",
            f"| memory of the worker, from the thousandth row to the last | {found['growth_mb']:+.0f} MB |",
            "| time per row in the last tenth, as a multiple of the second tenth's "
            f"| {found['last_to_first']:.2f} |",
            f"| the run's page, median | {found['page_ms']:.0f} ms |",
            f"| `GET /api/v1/eval-runs/{{id}}/`, median | {found['api_ms']:.0f} ms |",
        ]
    )


def _stopping(found: Figures) -> str:
    return "\n".join(
        [
            "## Pause, resume, cancel",
            "",
            "In a run of 20,000 rows under way: seconds from the request until the provider gets no more",
            "calls, or (resume) the first again.",
            "",
            "| pause | resume | cancel |",
            "|---:|---:|---:|",
            f"| {found['pause_s']:.2f} s | {found['resume_s']:.2f} s | {found['cancel_s']:.2f} s |",
        ]
    )


def _fairness(found: Figures) -> str:
    return "\n".join(
        [
            "## A small run beside a large one",
            "",
            "A run of 100 rows, alone and started beside a run of 100,000 rows on the same worker and",
            "the same provider, from the request that starts it until it has ended.",
            "",
            "| alone | beside |",
            "|---:|---:|",
            f"| {found['alone_s']:.2f} s | {found['beside_s']:.2f} s |",
        ]
    )


def _local(found: Figures) -> str:
    same = f"{found['same']:.1%} of the texts are the same"
    lines = [
        "## The embedded model in batches",
        "",
        f"{found['rows']} prompts of 5 to 130 words, greedy, at most {found['max_tokens']} tokens of",
        f"answer, float32 on this processor: one at a time, and in batches of {found['batch']} rows of",
        "like length; each claim of 64 rows is answered both ways, one after the other.",
        "",
        "| one at a time | in batches | ratio | each claim | ratio in processor time |",
        "|---:|---:|---:|---|---:|",
        f"| {found['alone_rows_per_s']:.2f} rows/s | {found['batched_rows_per_s']:.2f} rows/s "
        f"| {found['ratio']:.2f} | {', '.join(f'{pair:.2f}' for pair in found['ratio_of_each_claim'])} "
        f"| {found['ratio_in_processor_time']:.2f} |",
        "",
        f"{same}; {len(found['differing'])} differ{':' if found['differing'] else '.'}",
    ]
    for row in found["differing"]:
        lines += ["", f"- row {row['row']}: `{row['alone']!r}`, in a batch `{row['batched']!r}`"]
    lines += ["", _SIZES, "", "| batch | rows/s | rows a second of processor time | seconds a batch |"]
    lines += ["|---:|---:|---:|---:|"]
    for size in found["sizes"]:
        lines.append(
            f"| {size['batch']} | {size['rows_per_s']:.2f} | {size['rows_per_processor_s']:.2f} "
            f"| {size['seconds_a_batch']:.1f} |"
        )
    return "\n".join(lines)


_SIZES = """Why batches of that size (`docs/adr/0009-batches-of-the-embedded-model.md`): a larger one gains
little, and a person who wants the model waits for the batch at work. The first 64 rows in other sizes:"""


def _head() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; what is measured, and how, stands in `tests/benchmarks/`. Speed",
            "depends on the machine, so the ratios tell more than the seconds.",
            "",
            f"Machine: {_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"{platform.system()}. Date: {time.strftime('%Y-%m-%d', time.gmtime())}. Commit: {commit}.",
        ]
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
