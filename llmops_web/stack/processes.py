"""Processes by id and start time, so that a number used again by another program is never taken for ours."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessRecord:
    """One process of ours; `started` is in clock ticks since boot (proc_pid_stat(5), field 22)."""

    name: str
    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and start_ticks(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """None when there is no such process, or it has ended and only waits to be reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def record_of(name: str, pid: int) -> ProcessRecord:
    return ProcessRecord(name=name, pid=pid, started=start_ticks(pid) or 0, boot=boot_id())


def write_record(folder: Path, record: ProcessRecord) -> None:
    draft = folder / f".{record.name}.{record.pid}"
    draft.write_text(json.dumps(asdict(record)))
    draft.replace(folder / f"{record.name}.pid.json")


def read_records(folder: Path) -> list[ProcessRecord]:
    records = []
    for path in sorted(folder.glob("*.pid.json")):
        try:
            records.append(ProcessRecord(**json.loads(path.read_text())))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
    return records


def wait_gone(records: Iterable[ProcessRecord], seconds: float) -> list[ProcessRecord]:
    """Wait until none is alive; returns those that still are."""
    remaining = list(records)
    deadline = time.monotonic() + seconds
    while (remaining := [record for record in remaining if record.alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return remaining


def end_leftovers(folder: Path, *, grace_s: float = 8.0) -> list[str]:
    """End what an earlier stack on this data folder left running; returns the names of what was found."""
    records = read_records(folder)
    found = [record for record in records if record.alive]
    for record in found:
        # SIGINT is Postgres's fast shutdown; TERM would wait for its clients.
        record.signal(signal.SIGINT if record.name == "postgres" else signal.SIGTERM)
    for record in wait_gone(found, grace_s):
        record.signal(signal.SIGKILL)
    wait_gone(found, 5.0)
    for path in folder.glob("*.pid.json"):
        path.unlink(missing_ok=True)
    return [record.name for record in found]
