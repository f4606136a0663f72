"""One turn of a worker of the queue `gpu`: take a job up, bring it to its end, or leave it to the next."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.core.actor import Actor
from apps.core.dispatch import enqueue
from apps.core.errors import ProductError
from apps.training.models import FineTuningJob, ModelVersion, Trial
from apps.training.registry.bases import base_version_of, weights_folder
from apps.training.running.checkpoints import checkpoint_fetch, strays_remove, usable_checkpoints
from apps.training.running.claiming import (
    MOST_LOSSES,
    Keeper,
    claim_next,
    give_back,
    hold,
    losses,
    waiting_jobs,
)
from apps.training.running.datafiles import DataFiles, write_rows
from apps.training.running.disk import disk_check, disk_full
from apps.training.running.environment import environment_record
from apps.training.running.errors import CheckpointNotUsable, JobFailure, LeaseLost
from apps.training.running.finishing import job_fail, job_give_up, job_register
from apps.training.running.reading import Event
from apps.training.running.recording import Recorder
from apps.training.running.services import TRAIN_TASK
from apps.training.running.supervising import (
    Cancelled,
    HandedOver,
    Killed,
    Supervisor,
    Trained,
    newest_step,
)
from apps.training.running.sweeps import least_of, objective_of, sweep_of
from apps.training.running.trials import sweep_run
from apps.training.running.workers import free_heartbeats, may_train
from apps.training.splits import TRAIN
from apps.training.trainer.keeping import checkpoint_folder
from apps.training.trainer.spec import TrainerSpec

log = logging.getLogger(__name__)
State = Trial.State
#: Both take from one queue, so the message may come back: not too fast.
PASS_ON_AFTER_S = 0.3


def train_next(*, worker: str) -> FineTuningJob | None:
    """Bring the job that has waited longest to its end; None where none waits.

    Whatever ends it early (another worker, a shutdown) leaves it to be taken up again.
    """
    if not may_train(worker):
        _pass_on()
        return None
    job = claim_next(worker)
    if job is None:
        return None
    folder = Path(settings.STACK.training) / str(job.pk) / f"claim-{job.fence}"
    shutil.rmtree(folder.parent, ignore_errors=True)  # what lost workers of this machine have left of it
    try:
        with Keeper(job) as keeper:
            Work(job, keeper, worker, folder).run()
    except LeaseLost:
        log.warning("The job %s was taken over by another worker, or is gone", job.number)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
    if FineTuningJob.objects.filter(waiting_jobs()).exists():
        enqueue(TRAIN_TASK, queue="gpu")
    return job


def _pass_on() -> None:
    """Give the message back for a worker with a GPU that is free; one that is busy looks for itself later."""
    if FineTuningJob.objects.filter(waiting_jobs()).exists() and free_heartbeats().exists():
        time.sleep(PASS_ON_AFTER_S)
        enqueue(TRAIN_TASK, queue="gpu")


class Work:
    """A job in the hands of one worker."""

    def __init__(self, job: FineTuningJob, keeper: Keeper, worker: str, folder: Path) -> None:
        self.job, self.keeper, self.worker, self.folder = job, keeper, worker, folder
        self.by = Actor.worker(worker)
        self.recorder = Recorder(job)

    def run(self) -> None:
        """Raises LeaseLost; every other end is written into the job."""
        try:
            self._train()
        except (Cancelled, HandedOver) as end:
            self._leave(end)
        except JobFailure as failure:
            job_fail(self.job, failure)
        except ProductError as error:  # the base or what came of it cannot be taken
            job_fail(self.job, JobFailure("base", error.detail))
        except LeaseLost:
            raise
        except (OperationalError, InterfaceError):  # no fault of the job's: whoever comes next goes on
            log.exception("The database was away while the job %s was at work", self.job.number)
            connection.close()
        except Exception as error:
            log.exception("The job %s failed", self.job.number)
            told = JobFailure("other", f"The worker could not go on: {type(error).__name__}: {error}")
            job_fail(self.job, disk_full(error) or told)

    def _leave(self, end: Exception) -> None:
        if isinstance(end, HandedOver):
            self.recorder.say(f"{self.worker} ends; the next worker goes on.")
            self.keeper.end()
            give_back(self.job)
        else:
            job_give_up(self.job, keep_asked=self.keeper.asked == "keep")

    def _train(self) -> None:
        self._begin()
        self.keeper.check()
        if self.keeper.asked == "cancel":
            raise Cancelled
        base = self._base()
        files = write_rows(self.job, self.folder / "rows")
        self._say_of(files)
        self.keeper.check()
        plan = Plan(self.job, base, files, self.folder)
        chosen: dict[str, Any] = {}
        if (sweep := sweep_of(self.job, rows=files.rows[TRAIN])) is not None:
            # Also before the trials, which take long: what does not fit then fits with no choice of theirs.
            disk_check(self.job, {**self.job.settings, **least_of(sweep)}, base)
            chosen = sweep_run(self.job, sweep, plan.trial_spec, self._supervisor(files))
        disk_check(self.job, {**self.job.settings, **chosen}, base)
        trained = self._main(plan, chosen, files)
        if trained.step == 0:
            raise (
                Cancelled
                if trained.stopped
                else JobFailure("other", "The trainer ended before its first step.")
            )
        job_register(self.job, trained, self.keeper)

    def _begin(self) -> None:
        with self.recorder.sparing("What a lost worker left in the file store could not be removed"):
            strays_remove(self.job)
        step = newest_step(self.job)
        going_on = f" and goes on from step {step}" if step else ""
        again = f" (attempt {self.job.attempt})" if self.job.attempt > 1 else ""
        self.recorder.say(f"{self.worker} takes the job up{again}{going_on}.")
        if (lost := losses(self.job)) > MOST_LOSSES:
            raise JobFailure(
                "worker",
                f"{lost} workers in a row were lost with this job before they came to a checkpoint.",
                (
                    "Look at the workers' logs and memory: a machine that runs out of it kills its worker.",
                    "Lower “Rows at a time” or “Longest row”, or save checkpoints more often.",
                ),
            )

    def _base(self) -> Path:
        """The base's folder on this machine; it stays the same version whoever goes on.

        An adapter stands on whole weights: where the draft has an adapter, it is merged with its base.
        """
        version = self.job.base_version
        if version is None or version.kind == ModelVersion.Kind.ADAPTER:
            version = base_version_of(project=self.job.project, base=self.job.base, by=self.by)
            hold(self.job, base_version=version)
        return weights_folder(version)

    def _say_of(self, files: DataFiles) -> None:
        if self.job.data_hash and self.job.data_hash != files.sha256:
            raise JobFailure(
                "data",
                "The rows are not those that the job began with: going on would mix two sets of data.",
                ("Make a new job with the data as it is now.",),
            )
        for problem, rows in sorted(files.left_out.items()):
            self.recorder.say(f"{rows:,} rows are left out: {problem}.", "warning")

    def _supervisor(self, files: DataFiles) -> Callable[..., Supervisor]:
        def started(event: Event) -> None:
            for difference in environment_record(self.job, event, files, self.worker):
                self.recorder.say(f"Otherwise than at the first start: {difference}.", "warning")

        return lambda **options: Supervisor(self.job, self.keeper, started=started, **options)

    def _main(self, plan: Plan, chosen: dict[str, Any], files: DataFiles) -> Trained:
        """The training itself. A trainer that is killed once is started again, from its last checkpoint."""
        trial, _ = Trial.objects.update_or_create(
            job=self.job, number=0, defaults={"chosen": chosen, "state": State.RUNNING, "reason": ""}
        )
        begun = time.monotonic()
        supervisor, killed_at = self._supervisor(files), -1
        while True:
            try:
                trained = supervisor().run(plan.spec(chosen, self._resume_from(plan)), plan.run_folder)
                break
            except Killed as killed:
                step = newest_step(self.job)
                if killed_at == step:  # twice without coming any further
                    raise killed.failure from killed
                killed_at = step
                self.recorder.say(f"{killed.failure.message} It is started once more.", "warning")
                hold(self.job, attempt=self.job.attempt + 1)
                plan.next_run()
        self.recorder.forget_later()
        sweep = sweep_of(self.job, rows=files.rows[TRAIN])
        Trial.objects.filter(pk=trial.pk).update(
            state=State.COMPLETED,
            seconds=trial.seconds + time.monotonic() - begun,
            value=objective_of(self.job, sweep, 0, trained.metrics) if sweep else None,
        )
        return trained

    def _resume_from(self, plan: Plan) -> Path | None:
        """The newest checkpoint whose files are whole, on this machine; the best one beside it, which the
        trainer takes where its patience ends."""
        rows = usable_checkpoints(self.job)
        found: Path | None = None
        for checkpoint in rows:
            try:
                found = checkpoint_fetch(checkpoint, plan.checkpoint_folder(checkpoint.step))
                break
            except CheckpointNotUsable as error:
                self.recorder.say(f"{error.detail} An earlier one is taken.", "warning")
        best = next((row for row in rows if row.is_best), None)
        if found is not None and best is not None and not plan.checkpoint_folder(best.step).exists():
            try:
                checkpoint_fetch(best, plan.checkpoint_folder(best.step))
            except CheckpointNotUsable as error:
                self.recorder.say(error.detail, "warning")
        return found


class Plan:
    """The trainer's orders for a job: the same but for the trial, what was chosen, and where it goes on."""

    def __init__(self, job: FineTuningJob, base: Path, files: DataFiles, folder: Path) -> None:
        self._job, self._base, self._files, self._folder = job, base, files, folder
        self._run = 0

    @property
    def run_folder(self) -> Path:
        return self._folder / f"run-{self._run}"

    def checkpoint_folder(self, step: int) -> Path:
        """Where the trainer looks for its own."""
        return checkpoint_folder(self.run_folder / "output", step)

    def next_run(self) -> None:
        shutil.rmtree(self.run_folder, ignore_errors=True)
        self._run += 1

    def spec(self, chosen: dict[str, Any], resume_from: Path | None) -> TrainerSpec:
        found = {**self._job.settings, **chosen}
        return self._spec(0, found, self.run_folder, resume_from, self._job.sample_prompts)

    def trial_spec(self, number: int, found: dict[str, Any]) -> tuple[TrainerSpec, Path]:
        folder = self._folder / f"trial-{number}"
        return self._spec(number, found, folder, None, []), folder

    def _spec(
        self,
        trial: int,
        found: dict[str, Any],
        folder: Path,
        resume_from: Path | None,
        samples: list[Any],
    ) -> TrainerSpec:
        folder.mkdir(parents=True, exist_ok=True)
        return TrainerSpec(
            job=str(self._job.number),
            trial=trial,
            method=self._job.method,
            technique=self._job.technique,
            base_folder=self._base,
            train=self._files.train,
            validation=self._files.validation,
            output_folder=folder / "output",
            settings=found,
            seed=self._job.seed,
            resume_from=resume_from,
            samples=samples,
        )
