"""Watching one trainer: what it tells becomes rows, checkpoints are kept, and people are heard."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery.worker import state as worker_state
from django.db import InterfaceError, OperationalError, connection

from apps.training.models import Checkpoint, FineTuningJob
from apps.training.running.checkpoints import checkpoint_store, checkpoints_prune, local_copies_remove
from apps.training.running.child import failure_of, trainer_end, trainer_start
from apps.training.running.claiming import Keeper
from apps.training.running.disk import disk_full
from apps.training.running.errors import JobFailure, LeaseLost
from apps.training.running.reading import Event, Tail, events_in, log_in
from apps.training.running.recording import Recorder
from apps.training.trainer.failures import Circumstances
from apps.training.trainer.settings import read_settings
from apps.training.trainer.spec import (
    EVENTS_FILE,
    EXIT_DONE,
    LOG_FILE,
    STOP_FILE,
    TrainerSpec,
    write_spec,
)

LOOK_EVERY_S = 0.25
#: Rows are written together so often; a checkpoint and an end are written at once.
WRITE_EVERY_S = 1.0
#: After the stop file lies there, a step and the saving of the weights may take so long.
STOP_PATIENCE_S = 30 * 60.0
DATABASE_PATIENCE_S = 5 * 60.0
DATABASE_RETRY_S = 1.0


class Cancelled(Exception):
    """Somebody asked to stop and to keep nothing."""


class HandedOver(Exception):
    """This worker is about to end; the next one goes on."""


class Killed(Exception):
    """The trainer was ended by a signal that it did not expect; `failure` says what that means."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Abandoned(Exception):
    """A trial of a sweep is not worth going on with."""


@dataclass(slots=True)
class Trained:
    """What a trainer said at its end. `folder`: the weights, None of a trial; `stopped`: somebody asked;
    `early`: its patience ended before its steps did."""

    folder: Path | None
    step: int
    stopped: bool
    metrics: dict[str, Any] = field(default_factory=dict)
    best_step: int | None = None
    early: bool = False
    seconds: float = 0.0


Look = Callable[[list[Event]], bool]


class Supervisor:
    """One run of the trainer, in a folder of its own.

    `started` gets the event "start"; `look` sees each batch of events, and True ends a trial early.
    """

    def __init__(
        self,
        job: FineTuningJob,
        keeper: Keeper,
        *,
        started: Callable[[Event], None] = lambda event: None,
        look: Look = lambda events: False,
    ) -> None:
        self.job = job
        self.keeper = keeper
        self._started, self._look = started, look
        self._stop_asked_at: float | None = None
        self._end: Event | None = None
        self._failure: Event | None = None
        self._said: list[str] = []

    def run(self, spec: TrainerSpec, folder: Path) -> Trained:
        """Train, and return how it ended.

        Raises JobFailure, Killed, Cancelled, HandedOver, Abandoned, LeaseLost; the process is gone then.
        """
        write_spec(spec, folder)
        self._keep = read_settings(spec.settings, method=spec.method, technique=spec.technique)
        self._circumstances = Circumstances(spec.method, spec.technique, spec.settings)
        self._recorder, self._trial = Recorder(self.job, spec.trial), spec.trial
        self._tails = Tail(folder / EVENTS_FILE), Tail(folder / LOG_FILE)
        process = trainer_start(folder, folder / LOG_FILE)
        try:
            self._watch(process, folder)
        finally:
            trainer_end(process)
            for tail in self._tails:
                tail.close()
        return self._ended(process.returncode)

    def _watch(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        written, events, log = time.monotonic(), list[Event](), list[str]()
        while True:
            code = process.poll()  # before the reading, so that nothing of what was written last is missed
            news = events_in(self._tails[0].lines())
            events += news
            log += log_in(self._tails[1].lines(ended=code is not None))
            now = time.monotonic()
            urgent = any(event["type"] in ("start", "checkpoint", "end", "failure") for event in news)
            if urgent or code is not None or now - written >= WRITE_EVERY_S:
                self._take(events, log, seconds=now - written)
                written, events, log = now, [], []
            if code is not None and not news:
                return
            self._hear(process, folder, now)
            if code is None:
                time.sleep(LOOK_EVERY_S)

    def _take(self, events: list[Event], log: list[str], *, seconds: float) -> None:
        self._said = [*self._said, *log][-50:]
        self._record(events, log, seconds)
        for event in events:
            match event["type"]:
                case "start":
                    self._started(event)
                case "checkpoint" if self._trial == 0:
                    self._store(event)
                case "failure":
                    self._failure = event
                case "end":
                    self._end = event
        if self._look(events):
            raise Abandoned

    def _record(self, events: list[Event], log: list[str], seconds: float) -> None:
        """A database that is away for some minutes costs nothing: the trainer goes on meanwhile."""
        patience = time.monotonic() + DATABASE_PATIENCE_S
        while True:
            try:
                return self._recorder.record(events, log, seconds=seconds)
            except (OperationalError, InterfaceError):
                if time.monotonic() > patience:
                    raise
                connection.close()
                self.keeper.check()
                time.sleep(DATABASE_RETRY_S)

    def _store(self, event: Event) -> None:
        try:
            checkpoint = checkpoint_store(self.job, event, self.keeper)
        except LeaseLost:
            raise
        except Exception as error:  # whatever the file store's client raises
            if full := disk_full(error):
                raise full from error
            # The training is worth more than one of its checkpoints: the next one may be kept again.
            self._recorder.say(
                f"The checkpoint of step {event['step']} could not be kept: {error}", "warning"
            )
            return
        if checkpoint is None:
            self._recorder.say(
                f"The checkpoint of step {event['step']} was gone before it was kept.", "warning"
            )
            return
        self._recorder.say(f"Checkpoint of step {checkpoint.step} kept.")
        with self._recorder.sparing("Older checkpoints could not be removed"):
            checkpoints_prune(self.job, keep=self._keep.keep_checkpoints)
            local_copies_remove(self.job, Path(str(event["folder"])).parent)

    def _hear(self, process: subprocess.Popen[bytes], folder: Path, now: float) -> None:
        self.keeper.check()
        if worker_state.should_stop is not None or worker_state.should_terminate is not None:
            raise HandedOver
        if self.keeper.asked == "cancel" or (self.keeper.asked and self._trial):
            raise Cancelled
        if self.keeper.asked == "keep" and self._stop_asked_at is None:
            (folder / STOP_FILE).touch()
            self._stop_asked_at = now
            self._recorder.say("Asked to stop: the step is finished and the weights are saved.")
        if self._stop_asked_at is not None and now - self._stop_asked_at > STOP_PATIENCE_S:
            raise JobFailure(
                "other", "The trainer did not end within half an hour after it was asked to stop."
            )

    def _ended(self, code: int) -> Trained:
        if self._failure is not None:
            told = self._failure
            raise JobFailure(
                str(told.get("kind") or "other"),
                str(told.get("message") or "The trainer failed without a word."),
                tuple(map(str, told.get("advice") or ())),
            )
        if self._end is None or code != EXIT_DONE:
            failure = failure_of(code, self._said, self._circumstances)
            raise Killed(failure) if code < 0 else failure
        end = self._end
        return Trained(
            folder=Path(str(end["folder"])) if end.get("folder") else None,
            step=int(end.get("step") or 0),
            stopped=end.get("reason") == "stopped",
            metrics=end.get("metrics") or {},
            best_step=end.get("best_step"),
            early=bool(end.get("early")),
            seconds=float(end.get("seconds") or 0.0),
        )


def newest_step(job: FineTuningJob) -> int:
    """Of the checkpoints that there are; 0 without one."""
    steps = Checkpoint.objects.filter(job=job, trial=0, pruned_at=None).order_by("-step")
    return steps.values_list("step", flat=True).first() or 0
