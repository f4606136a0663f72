"""What workers of the queue `gpu` say of their machines, for estimates and for choosing settings."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.models import WorkerHeartbeat
from apps.training.models import FineTuningJob, TrainingWorker
from apps.training.running.child import leashed, trainer_environment
from apps.training.running.claiming import AT_WORK
from apps.training.running.disk import places
from apps.training.running.environment import cores, hardware, installed_packages, memory_bytes

log = logging.getLogger(__name__)

PROBE = "apps.training.trainer.probe"
_PROBE_PATIENCE_S = 120
_TRIES = 3
#: The rest of the stack starts first: loading torch beside it makes both slow, and the measurement wrong.
PROBE_AFTER_S = 30.0
#: Heartbeats come every five seconds.
ALIVE_FOR = timedelta(seconds=30)
MOST_FORECASTS = 20


def alive_workers() -> QuerySet[TrainingWorker]:
    """Workers that could take a job now: they have said what they are, and their heart beats."""
    return TrainingWorker.objects.filter(name__in=alive_heartbeats().values("name")).order_by("name")


def alive_heartbeats() -> QuerySet[WorkerHeartbeat]:
    return WorkerHeartbeat.objects.filter(queues__contains=["gpu"], seen_at__gte=timezone.now() - ALIVE_FOR)


def gpu_workers() -> QuerySet[TrainingWorker]:
    """Those that live and train on a GPU."""
    return alive_workers().filter(device__kind="cuda")


def may_train(name: str) -> bool:
    """A worker without a GPU leaves jobs to those that have one, also while these are busy."""
    gpus = set(gpu_workers().values_list("name", flat=True))
    return not gpus or name in gpus


def free_heartbeats() -> QuerySet[WorkerHeartbeat]:
    """Workers that could take a job up now."""
    beating = alive_heartbeats().filter(current_task="")
    gpus = list(gpu_workers().values_list("name", flat=True))
    return beating.filter(name__in=gpus) if gpus else beating


def worker_announce(name: str) -> None:
    """Look at the machine in a thread, since torch takes seconds to load, and write down what it is."""
    threading.Thread(target=_announce, args=(name,), name="training-probe", daemon=True).start()


def _announce(name: str) -> None:
    try:
        leftovers_remove()
        time.sleep(PROBE_AFTER_S)
        for _ in range(_TRIES):
            found = probe()
            if found is not None:
                announcement_write(name, found)
                return
            time.sleep(1)
        log.warning("The trainer cannot say what device it has; estimates do without this worker")
    except Exception:
        log.exception("Could not announce what this worker trains on")
    finally:
        connection.close()


def probe() -> dict[str, Any] | None:
    """What the trainer's own look at the machine says, in a process of its own; None where it fails."""
    try:
        done = subprocess.run(
            leashed([sys.executable, "-m", PROBE]),
            env=trainer_environment(),
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=_PROBE_PATIENCE_S,
            check=True,
        )
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        log.info("The probe said nothing: %s", error)
        return None
    return found if isinstance(found, dict) else None


def announcement_write(name: str, found: dict[str, Any]) -> TrainingWorker:
    """One row a worker; how well its forecasts held stays."""
    disk, *_ = places()
    flops = found.get("flops") or {}
    device = {key: value for key, value in found.items() if key not in ("flops", "packages")}
    # Of the number format that a training takes by itself. A machine that is busy while it is measured is no
    # slower for it, so the best measurement of a device stays.
    speed = float(flops.get("bf16") or flops.get("fp32") or 0.0)
    known = TrainingWorker.objects.filter(name=name, device__name=device.get("name")).first()
    worker, _ = TrainingWorker.objects.update_or_create(
        name=name,
        defaults={
            "device": {
                "kind": "cpu",
                **device,
                "processor": hardware()["cpu"],
                "disk_copies": disk.copies,
            },
            "cores": int(found.get("cores") or cores()),
            "memory_bytes": memory_bytes(),
            "disk_free_bytes": disk.free_bytes,
            "flops_per_second": max(speed, known.flops_per_second if known else 0.0),
            "packages": {**installed_packages(), **(found.get("packages") or {})},
        },
    )
    return worker


def forecast_record(worker: TrainingWorker, *, forecast_s: float, took_s: float) -> None:
    """Keep how long a job really took by what was forecast for it; the newest count."""
    if forecast_s <= 0 or took_s <= 0:
        return
    worker.forecasts = [*worker.forecasts, round(took_s / forecast_s, 3)][-MOST_FORECASTS:]
    worker.disk_free_bytes = places()[0].free_bytes
    worker.save(update_fields=["forecasts", "disk_free_bytes"])


def leftovers_remove() -> None:
    """Folders of jobs that no worker has in hand: their worker was killed, and could not tidy up."""
    root: Path = settings.STACK.training
    if not root.is_dir():
        return
    folders = [path for path in root.iterdir() if path.is_dir() and path.name.count("-") == 4]
    # Asked after the folders were read: one that is there belongs to a job that was taken up before.
    names = set(FineTuningJob.objects.filter(status__in=AT_WORK).values_list("pk", flat=True))
    for folder in folders:
        if folder.name not in {str(name) for name in names}:
            shutil.rmtree(folder, ignore_errors=True)
