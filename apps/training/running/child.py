"""The process that trains: started on one device, ended with its worker, its end put into words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from apps.providers.torch_environment import environment_of_child
from apps.training.running.errors import JobFailure
from apps.training.trainer.failures import Circumstances, out_of_memory

TRAINER = "apps.training.trainer"
#: The web process and the database go before it on a machine that they share.
_NICENESS = 5


def trainer_environment() -> dict[str, str]:
    """Several workers of a machine have a device each."""
    return {
        **environment_of_child(),
        "HF_HOME": str(settings.STACK.training / "hub"),
        "PYTHONUNBUFFERED": "1",
        # What libraries say to their developers is no news for who trains.
        "PYTHONWARNINGS": "ignore::FutureWarning,ignore::DeprecationWarning",
        **visible_device(os.environ, settings.GPU_WORKERS),
    }


def visible_device(environment: Mapping[str, str], workers: int) -> dict[str, str]:
    """What a worker's trainer may see of the machine's GPUs: with several workers, one each by its number."""
    if workers < 2:
        return {}
    number = int(environment.get("LLMOPS_WORKER_NUMBER", "1"))
    listed = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    names = listed or [str(place) for place in range(workers)]
    return {"CUDA_VISIBLE_DEVICES": names[number - 1] if number <= len(names) else ""}


def trainer_start(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """The trainer in this folder, with a signal from the kernel when this process ends."""
    return leashed_start([sys.executable, "-m", TRAINER, str(folder)], log)


def leashed(command: Sequence[str]) -> list[str]:
    """The command, ended by the kernel when the thread that starts it is gone."""
    leash = [sys.executable, "-m", "apps.training.running.leash", str(os.getpid()), str(_NICENESS)]
    return [*leash, *command]


def leashed_start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            leashed(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=trainer_environment(),
            cwd=settings.BASE_DIR,
            start_new_session=True,  # a Ctrl-C in the console is the worker's to answer
        )


def trainer_end(process: subprocess.Popen[bytes]) -> None:
    """End it at once, with its whole group: it may have loaders of its own. Waits until it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def failure_of(code: int, log: Sequence[str], circumstances: Circumstances) -> JobFailure:
    """Why a trainer ended that did not say so itself."""
    if code == -signal.SIGKILL:
        killed = out_of_memory(circumstances, killed=True)
        return JobFailure(killed.kind, killed.message, tuple(killed.advice))
    last = next((line for line in reversed(log) if line.strip()), "")
    said = f"It last said: {last}" if last else "It said nothing."
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
        return JobFailure("other", f"The trainer crashed with {name}. {said}", ("Look at the log.",))
    return JobFailure(
        "other", f"The trainer ended with the code {code} in the middle of it. {said}", ("Look at the log.",)
    )
