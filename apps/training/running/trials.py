"""Running the trials of a sweep, one after the other, each in a trainer of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.training.models import FineTuningJob, MetricPoint, Trial
from apps.training.running.claiming import fenced
from apps.training.running.errors import JobFailure
from apps.training.running.reading import Event
from apps.training.running.supervising import Abandoned, Killed, Supervisor
from apps.training.running.sweeps import (
    Sweep,
    best_of,
    distributions_of,
    objective_of,
    study_of,
    trial_settings,
    validated,
    whole_choice,
)
from apps.training.trainer.spec import TrainerSpec

State = Trial.State
Specify = Callable[[int, dict[str, Any]], tuple[TrainerSpec, Path]]


def sweep_run(
    job: FineTuningJob, sweep: Sweep, specify: Specify, supervisor: Callable[..., Supervisor]
) -> dict[str, Any]:
    """Bring all trials to their end, those of earlier claims included; what the best of them had.

    Raises JobFailure where none came to a figure; what `Supervisor.run` raises about people and leases.
    """
    _forget_failed(job, sweep)
    while len(over := _over(job)) < sweep.trials:
        _next_trial(job, sweep, over, specify, supervisor)
    best = best_of(sweep, over)
    if best is None:
        reasons = sorted({trial.reason for trial in over if trial.reason})
        raise JobFailure(
            "other",
            f"None of the {len(over)} trials came to a figure of {sweep.objective}. {' '.join(reasons[:2])}",
            ("Narrow the ranges, above all of the learning rate, or train without a sweep.",),
        )
    return dict(best.chosen)


def _over(job: FineTuningJob) -> list[Trial]:
    return list(Trial.objects.filter(job=job, number__gt=0).exclude(state=State.RUNNING).order_by("number"))


def _forget_failed(job: FineTuningJob, sweep: Sweep) -> None:
    """A job that failed because all of its trials did has nothing to go on from: they begin anew."""
    over = _over(job)
    if len(over) < sweep.trials or any(trial.state != State.FAILED for trial in over):
        return
    with fenced(job):
        MetricPoint.objects.filter(job=job, trial__gt=0).delete()
        Trial.objects.filter(job=job, number__gt=0).delete()


def _next_trial(
    job: FineTuningJob,
    sweep: Sweep,
    over: list[Trial],
    specify: Specify,
    supervisor: Callable[..., Supervisor],
) -> None:
    study = study_of(sweep, over, job.seed)
    asked = study.ask(distributions_of(sweep))
    number, chosen = len(over) + 1, whole_choice(job.settings, asked.params)
    with fenced(job):  # one that a lost worker left behind begins anew, with what it had chosen
        trial, _ = Trial.objects.update_or_create(
            job=job,
            number=number,
            defaults={"chosen": chosen, "state": State.RUNNING, "reason": ""},
        )
        MetricPoint.objects.filter(job=job, trial=number).delete()

    def hopeless(events: list[Event]) -> bool:
        for event in events:
            value = validated(sweep, event.get("values") or {}) if event["type"] == "point" else None
            if value is not None and int(event["step"]) < sweep.steps:
                asked.report(value, int(event["step"]))
        return bool(asked.should_prune())

    spec, folder = specify(number, trial_settings({**job.settings, **trial.chosen}, sweep.steps))
    begun = time.monotonic()
    state, value, reason = State.COMPLETED, None, ""
    try:
        trained = supervisor(look=hopeless).run(spec, folder)
        value = objective_of(job, sweep, number, trained.metrics)
        if value is None:
            state, reason = State.FAILED, f"It has no figure of {sweep.objective}."
    except Abandoned:
        state, reason = State.PRUNED, "Worse than half of the trials before it at the same step."
    except Killed as killed:
        state, reason = State.FAILED, killed.failure.message
    except JobFailure as failure:
        state, reason = State.FAILED, failure.message
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with fenced(job):
        Trial.objects.filter(pk=trial.pk).update(
            state=state, value=value, reason=reason, seconds=time.monotonic() - begun
        )
