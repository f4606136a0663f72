"""Speaks to its supervisor as the trainer does, in milliseconds: `python -m tests.fake_trainer FOLDER`.

The loss is a function of the step and of the learning rate. A setting "fake" says what happens at which step:
{"pause": 3} waits there for the stop file, {"fail": 3, "kind": "disk"} tells of a failure, {"kill": 3} kills
itself on the first attempt, {"always_kill": 3} on each, {"crash": 3} ends without a word, {"early": 3} ends
as out of patience. The real trainer is held against the same supervisor in
tests/integration/test_fine_tuning_running.py.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from apps.training.trainer.events import EventWriter
from apps.training.trainer.spec import EXIT_DONE, EXIT_TOLD_FAILURE, STOP_FILE, read_spec


def loss_at(step: int, rate: float) -> float:
    """Least at a rate of 1e-3."""
    return 2.0 / step + abs(rate - 1e-3) * 100


def main(folder: Path) -> int:
    spec, events = read_spec(folder), EventWriter(folder)
    told: dict[str, Any] = spec.settings.get("fake") or {}
    steps = int(spec.settings.get("max_steps") or 6)
    rate = float(spec.settings.get("learning_rate", 1e-4))
    rows = {"train": len(spec.train.read_text().splitlines()), "validation": 0}
    events.stage("loading")
    events.tell("start", steps=steps, device={"kind": "cpu"}, dtype="fp32", packages={}, rows=rows)
    first = int(spec.resume_from.name.rpartition("-")[2]) if spec.resume_from else 0
    stopped = early = False
    for step in range(first + 1, steps + 1):
        if (told.get("kill") == step and first == 0) or told.get("always_kill") == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if told.get("fail") == step:
            events.tell("failure", kind=told["kind"], message="It went wrong.", advice=["Do less."], trace="")
            return EXIT_TOLD_FAILURE
        if told.get("crash") == step:
            print("cannot go on", flush=True)
            return 1
        while told.get("pause") == step and not (folder / STOP_FILE).exists():
            time.sleep(0.02)
        loss = loss_at(step, rate)
        events.tell("point", step=step, epoch=step / steps, values={"loss": loss}, seconds_left=steps - step)
        stopped = (folder / STOP_FILE).exists()
        if spec.trial == 0 and (stopped or step % 2 == 0):
            keep(events, spec.output_folder / f"checkpoint-{step}", step)
        early = told.get("early") == step
        if stopped or early:
            break
    if rows["validation"] == 0:
        events.tell("point", step=step, epoch=1.0, values={"eval_loss": loss_at(step, rate)})
    final = spec.output_folder / "final"
    if spec.trial == 0:
        final.mkdir(parents=True)
        (final / "adapter_model.safetensors").write_bytes(b"weights")
    metrics = {"loss": loss_at(step, rate), "eval_loss": loss_at(step, rate)}
    whole = str(final) if spec.trial == 0 else None
    reason = "stopped" if stopped else "done"
    events.tell("end", reason=reason, step=step, folder=whole, metrics=metrics, early=early)
    return EXIT_DONE


def keep(events: EventWriter, folder: Path, step: int) -> None:
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights" * step)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    events.tell("checkpoint", step=step, folder=str(folder), metrics={"loss": 2.0 / step}, best=step == 2)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
