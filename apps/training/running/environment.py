"""What a training is made with, kept so that it can be repeated: versions, hardware, code, data."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.training.models import FineTuningJob
from apps.training.running.claiming import fenced
from apps.training.running.datafiles import DataFiles
from apps.training.running.reading import Event

#: Those whose versions decide on the figures.
PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "optuna",
    "bitsandbytes",
)


def environment_record(job: FineTuningJob, event: Event, files: DataFiles, worker: str) -> list[str]:
    """Write, at the first start, what the job is made with. Later starts change nothing of it.

    Returns what is otherwise this time, in words: a job that goes on on another machine says so.
    """
    found = environment_of(event, worker)
    with fenced(job):
        if not job.environment:
            FineTuningJob.objects.filter(pk=job.pk).update(environment=found, data_hash=files.sha256)
            job.environment, job.data_hash = found, files.sha256
            return []
    return differences(job.environment, found)


def environment_of(event: Event, worker: str) -> dict[str, Any]:
    """`event` is the trainer's "start", which knows its device and what it has loaded."""
    device = event.get("device") or {}
    return {
        "packages": {**installed_packages(), **(event.get("packages") or {})},
        "python": platform.python_version(),
        "commit": code_commit(),
        "hardware": hardware(),
        "worker": worker,
        "device": device.get("kind", "cpu") if isinstance(device, dict) else str(device),
        "device_facts": device if isinstance(device, dict) else {},
        "dtype": event.get("dtype", ""),
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    packages = {**(before.get("packages") or {})}
    found = [
        f"{name} {packages[name]} before, {number} now"
        for name, number in sorted((now.get("packages") or {}).items())
        if name in packages and packages[name] != number
    ]
    for name in ("python", "commit", "device", "dtype"):
        if before.get(name) and now.get(name) and before[name] != now[name]:
            found.append(f"{name} {before[name]} before, {now[name]} now")
    return found


def installed_packages() -> dict[str, str]:
    """Read from their metadata: nothing of them is imported here."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _processor(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@lru_cache(maxsize=1)
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


@lru_cache(maxsize=1)
def code_commit() -> str:
    """Of the checkout that runs, "" where it is none; "-modified" where files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-modified"],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
