"""A sweep: short trainings with settings that Optuna chooses, before the training with the best of them.

The trials' rows are all that it remembers: whichever worker goes on makes the study again from them, and the
sampler is seeded by the trial's number, so that the same results lead to the same next trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.training.models import FineTuningJob, MetricPoint, Trial
from apps.training.trainer.rhythm import rhythm_of
from apps.training.trainer.settings import read_settings

#: Before the sampler learns from what it has seen, it tries so many at random.
RANDOM_TRIALS = 3
State = Trial.State


@dataclass(frozen=True, slots=True)
class Sweep:
    """`space`: [lowest, highest] by setting. `lowest`: whether less is better."""

    trials: int
    steps: int
    objective: str
    space: dict[str, list[float]]

    @property
    def lowest(self) -> bool:
        return "loss" in self.objective


def sweep_of(job: FineTuningJob, *, rows: int) -> Sweep | None:
    """Of a job with so many rows to train on: no trial is longer than the training itself."""
    found = job.sweep
    if not found or not found.get("space"):
        return None
    settings = read_settings(job.settings, method=job.method, technique=job.technique)
    whole = rhythm_of(settings, rows=rows, validated=False, keeps=True)
    return Sweep(
        trials=int(found.get("trials", 6)),
        steps=min(int(found.get("steps", 40)), whole.steps),
        objective=str(found.get("objective", "eval_loss")),
        space={str(name): list(bounds) for name, bounds in found["space"].items()},
    )


def least_of(sweep: Sweep) -> dict[str, Any]:
    """The lowest values that the sweep can choose: what these do not fit into, none does."""
    return {name: low for name, (low, *_) in sweep.space.items()}


def distributions_of(sweep: Sweep) -> dict[str, Any]:
    """Rates and β by their logarithm, whole numbers (LoRA's rank) as powers of two."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found: dict[str, Any] = {}
    for name, (low, high, *_) in sorted(sweep.space.items()):
        if isinstance(low, int) and isinstance(high, int):
            found[name] = CategoricalDistribution(powers_of_two(low, high))
        else:
            found[name] = FloatDistribution(float(low), float(high), log=float(low) > 0)
    return found


def powers_of_two(low: int, high: int) -> list[int]:
    """Those from low to high, and both ends: 6 … 20 gives 6, 8, 16, 20."""
    inside = [2**power for power in range(high.bit_length() + 1) if low <= 2**power <= high]
    return sorted({low, *inside, high})


def study_of(sweep: Sweep, trials: list[Trial], seed: int) -> Any:
    """An Optuna study that knows the trials that are over; its sampler is ready for the next one."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed + len(trials), n_startup_trials=RANDOM_TRIALS)
    study = optuna.create_study(
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=max(1, sweep.steps // 3)),
        direction="minimize" if sweep.lowest else "maximize",
    )
    distributions = distributions_of(sweep)
    states = {
        State.COMPLETED: optuna.trial.TrialState.COMPLETE,
        State.PRUNED: optuna.trial.TrialState.PRUNED,
        State.FAILED: optuna.trial.TrialState.FAIL,
    }
    curves = _curves(sweep, trials)
    for trial in trials:
        completed = trial.state == State.COMPLETED and trial.value is not None
        study.add_trial(
            optuna.trial.create_trial(
                state=states[State(trial.state)],
                value=trial.value if completed else None,
                params={name: trial.chosen[name] for name in distributions},
                distributions=distributions,
                intermediate_values=curves.get(trial.number, {}),
            )
        )
    return study


def _curves(sweep: Sweep, trials: list[Trial]) -> dict[int, dict[int, float]]:
    """The objective at each step where it was measured, by trial."""
    found: dict[int, dict[int, float]] = {}
    if not trials:
        return found
    points = MetricPoint.objects.filter(job=trials[0].job_id, trial__gt=0).order_by("trial", "step")
    for point in points:
        value = validated(sweep, point.values)
        if value is not None:
            found.setdefault(point.trial, {})[point.step] = value
    return found


def validated(sweep: Sweep, values: Mapping[str, Any]) -> float | None:
    """The objective on the validation rows, where these figures have it."""
    value = values.get(f"eval_{sweep.objective.removeprefix('eval_')}")
    return float(value) if value is not None and _is_number(value) else None


def objective_of(job: FineTuningJob, sweep: Sweep, trial: int, metrics: Mapping[str, Any]) -> float | None:
    """What a trial came to: its last validation. Without validation rows, the mean of its last quarter."""
    name = sweep.objective.removeprefix("eval_")
    value = validated(sweep, metrics)
    if value is not None:
        return value
    points = list(MetricPoint.objects.filter(job=job, trial=trial).order_by("step"))
    for figure in (f"eval_{name}", name):
        values = [point.values[figure] for point in points if _is_number(point.values.get(figure))]
        if values:
            last = values[-1:] if figure != name else values[-max(1, len(values) // 4) :]
            return float(sum(last) / len(last))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole_choice(settings: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial has chosen, with what follows from it: lora_alpha keeps its ratio to the rank."""
    rank, alpha = settings.get("lora_r"), settings.get("lora_alpha")
    if "lora_r" not in params or not rank or not alpha:
        return dict(params)
    return {**params, "lora_alpha": max(1, round(alpha * params["lora_r"] / rank))}


def trial_settings(settings: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Of a trial of so many steps: measured often enough that a hopeless one can end early."""
    return {**settings, "max_steps": steps, "eval_every": max(1, steps // 4), "early_stopping": 0}


def trials_end(job: FineTuningJob, reason: str) -> None:
    """End what a job that ends has under way. A trial of its sweep says nothing of its settings yet: it goes,
    and begins anew if the job goes on."""
    running = Trial.objects.filter(job=job, state=State.RUNNING)
    begun = list(running.filter(number__gt=0).values_list("number", flat=True))
    MetricPoint.objects.filter(job=job, trial__in=begun).delete()
    running.filter(number__gt=0).delete()
    running.update(state=State.FAILED, reason=reason)


def best_of(sweep: Sweep, trials: list[Trial]) -> Trial | None:
    measured = [trial for trial in trials if trial.state == State.COMPLETED and trial.value is not None]
    sign = 1.0 if sweep.lowest else -1.0
    return min(measured, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)
