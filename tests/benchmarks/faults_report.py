"""The table of `make faults`: on the console, and as docs/reliability.md."""

from __future__ import annotations

import os
import platform
import subprocess
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.bench_stack import ROOT
from tests.benchmarks.faults_audit import Audit
from tests.benchmarks.faults_drills import Drill

PAGE = ROOT / "docs" / "reliability.md"
HEADINGS = (
    "fault",
    "planned",
    "stored",
    "doubled",
    "lost",
    "wrong",
    "calls",
    "struck at",
    "seconds",
    "state",
    "figures",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a drill. `state` is what the runs came to by themselves; `figures_right`: the counts and
    means that the product itself tells are those of the database."""

    drill: Drill
    audit: Audit
    calls: int
    faulty_answers: int
    struck_at: tuple[int, ...]
    seconds: float
    state: str
    figures_right: bool
    problem: str = ""

    @property
    def happened(self) -> bool:
        """The fault was really there: answers were faulty, or it struck before the last row was asked."""
        struck = bool(self.struck_at) and max(self.struck_at) < self.audit.planned
        return struck or self.faulty_answers > 0

    @property
    def survived(self) -> bool:
        right = self.audit.clean and self.figures_right and not self.problem
        return right and self.happened and self.state == "completed"


def cells(outcome: Outcome, *, name: str = "") -> tuple[str, ...]:
    audit = outcome.audit
    struck = ", ".join(f"call {number:,}" for number in outcome.struck_at)
    return (
        name or outcome.drill.name,
        *(f"{n:,}" for n in (audit.planned, audit.stored, audit.doubled, audit.lost, audit.wrong)),
        f"{outcome.calls:,}",
        struck or f"{outcome.faulty_answers:,} answers",
        f"{outcome.seconds:.0f}",
        outcome.problem or outcome.state,
        "right" if outcome.figures_right else "WRONG",
    )


def line(values: Sequence[str]) -> str:
    """One line of the console's table."""
    widths = (12, 8, 8, 8, 6, 6, 8, 32, 8, 10, 8)
    return " ".join(
        value.ljust(width) if place in (0, 7, 9, 10) else value.rjust(width)
        for place, (value, width) in enumerate(zip(values, widths, strict=True))
    ).rstrip()


def write_page(outcomes: Sequence[Outcome], rows: int, took_s: float) -> Path:
    PAGE.write_text(page(outcomes, rows, took_s))
    return PAGE.relative_to(ROOT)


def page(outcomes: Sequence[Outcome], rows: int, took_s: float) -> str:
    table = [f"| {' | '.join(HEADINGS)} |", "|---|" + "---:|" * 6 + "---|---:|---|---|"]
    table += [f"| {' | '.join(cells(outcome, name=outcome.drill.title))} |" for outcome in outcomes]
    told = [
        textwrap.fill(f"**{_sentence(outcome.drill.title)}** {outcome.drill.survived}", 110)
        for outcome in outcomes
    ]
    return _PAGE.format(
        rows=f"{rows:,}",
        machine=_machine(),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        commit=_commit(),
        minutes=f"{took_s / 60:.0f}",
        table="\n".join(table),
        told="\n\n".join(told),
    )


def _sentence(title: str) -> str:
    return f"{title[0].upper()}{title[1:]}."


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}"


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{git('rev-parse', '--short=10', 'HEAD') or 'unknown'}{changed}"


_PAGE = """\
# What a run survives

`make faults` starts the whole stack in a folder of its own, lets a run of {rows} rows meet each of these
faults, and then reads the database row by row. Every output is derived from its input, so that an answer
stored under the wrong row shows. Nobody lends a hand: each run has to come to its end by itself.

This page is its output. `make faults ARGS="--only broker --rows 500"` tries one fault alone, and writes
nothing. A round ends with an error when anything was lost, doubled or wrong, or a run did not come to an end.

Machine: {machine}. Date: {date}. Commit: {commit}. It took {minutes} minutes.

{table}

- **planned**: rows of the dataset; **stored**: rows with an answer, its span and its score.
- **doubled**: results, spans or scores beyond the first of a row. **lost**: rows without a complete result.
  **wrong**: rows whose output is not the answer to their own question, or whose score is not 1.
- **calls**: what the provider was asked for. More than rows means that some calls were made again: those that
  failed, and those whose answers were under way when their worker died.
- **struck at**: the call at which the fault was let loose, or how many answers were faulty.
- **seconds**: from the start of the run to its terminal state with its figures computed. Recovery from a dead
  worker takes 15 s until its leases run out, and up to 20 s until the next sweep.
- **figures**: whether the counts and the mean that the product tells are those of the database.

Two workers for calls, 32 calls at a time, a provider that answers after 50 ms, a time-out of 2 s. One stack
goes through all the faults, one after the other.

## How

{told}
"""
