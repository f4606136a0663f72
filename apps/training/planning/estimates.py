"""How long a training takes on each worker, and whether it fits. Pure arithmetic on what is known of both.

A token costs 2 floating-point operations a weight forward, 2 more for the gradients of what flows through,
and 2 more for those of trained weights (Kaplan et al. 2020, section 2.1); recomputed activations cost one
more forward pass, and so does the reference model of DPO and KTO. Attention is counted by rows' lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.training.models import TrainingWorker
from apps.training.planning.setting import DPO, FULL, KTO, LORA
from apps.training.running.sweeps import trial_settings
from apps.training.trainer.devices import Choice, DeviceFacts, choose
from apps.training.trainer.memory import ModelShape, disk_need, lora_parameters, memory_need
from apps.training.trainer.rhythm import Rhythm, rhythm_of
from apps.training.trainer.settings import TrainingSettings, read_settings

#: What training reaches of the speed of large matrices; each worker's own jobs put it right later.
_EFFICIENCY = {"cpu": 0.45, "cuda": 0.35}
#: Bytes a second that an answer's each token reads the weights with, where nothing was measured.
_READS = {"cpu": 15e9, "cuda": 500e9}
_SAMPLE_TOKENS = 96
_STARTING_S = 15.0
#: How far off a forecast may be before jobs have shown it.
_UNSURE = (0.5, 2.0)
_FEWEST_FORECASTS = 3
#: The lengths that are taken where nothing was measured yet: short questions and answers.
_USUAL_LENGTH = 220


@dataclass(frozen=True, slots=True)
class Training:
    """What is to be trained. `quantiles`: lengths of rows in tokens from the shortest to the longest, evenly;
    of a pair its longer side. `sequences`: that go through the model for each row."""

    method: str
    technique: str
    settings: Mapping[str, Any]
    shape: ModelShape
    rows: int
    validation_rows: int = 0
    quantiles: Sequence[int] = ()
    samples: int = 0
    sweep: Mapping[str, Any] = field(default_factory=dict)

    @property
    def read(self) -> TrainingSettings:
        return read_settings(self.settings, method=self.method, technique=self.technique)

    @property
    def trained_parameters(self) -> int:
        if self.technique != LORA:
            return self.shape.parameters
        settings = self.read
        return lora_parameters(self.shape, settings.lora_r, settings.lora_targets)

    @property
    def longest(self) -> int:
        return max(self.quantiles, default=min(2 * _USUAL_LENGTH, self.read.max_length))

    def rhythm(self) -> Rhythm:
        return self._rhythm(self.settings, keeps=True)

    def trial_rhythm(self) -> Rhythm:
        """Of each trial of its sweep."""
        steps = min(int(self.sweep["steps"]), self.rhythm().steps)
        return self._rhythm(trial_settings(self.settings, steps), keeps=False)

    def _rhythm(self, settings: Mapping[str, Any], *, keeps: bool) -> Rhythm:
        read = read_settings(settings, method=self.method, technique=self.technique)
        return rhythm_of(read, rows=self.rows, validated=self.validation_rows > 0, keeps=keeps)


@dataclass(frozen=True, slots=True)
class Estimate:
    """On one worker. Seconds and bytes; `low_s` to `high_s` is where the time is likely to lie."""

    worker: str
    device: str
    on_gpu: bool
    seconds: float
    low_s: float
    high_s: float
    memory_bytes: int
    memory_there: int
    disk_bytes: int
    disk_there: int
    choice: Choice
    measured: bool
    steps: int

    @property
    def roughly(self) -> tuple[float, float, float]:
        """The time and its bounds as people say them: tens of seconds, minutes, tens of minutes."""
        return _rough(self.seconds), _rough(self.low_s), _rough(self.high_s)

    @property
    def fits(self) -> bool:
        return self.memory_bytes <= self.memory_there

    @property
    def disk_fits(self) -> bool:
        return self.disk_bytes <= self.disk_there

    @property
    def filled_percent(self) -> int:
        return min(100, round(100 * self.memory_bytes / max(1, self.memory_there)))


def estimate(training: Training, worker: TrainingWorker) -> Estimate:
    """Time, memory and disk of the training on this worker."""
    facts = facts_of(worker)
    chosen = _choice(training, facts)
    forecast = forecast_seconds(training, worker)
    low, middle, high = _spread(worker.forecasts)
    settings = training.read
    need = memory_need(
        parameters=training.shape.parameters,
        trained_parameters=training.trained_parameters,
        technique=training.technique,
        batch=settings.batch_size,
        length=min(training.longest, settings.max_length),
        dtype=chosen.dtype,
        checkpointing=chosen.checkpointing,
        method=training.method,
        four_bit=chosen.four_bit,
        on_gpu=facts.on_gpu,
        optimizer=settings.optimizer,
        shape=training.shape,
    )
    return Estimate(
        worker=worker.name,
        device=facts.name,
        on_gpu=facts.on_gpu,
        seconds=forecast * middle,
        low_s=forecast * low,
        high_s=forecast * high,
        memory_bytes=need,
        memory_there=facts.memory_bytes * (facts.count if chosen.spread else 1),
        disk_bytes=_disk_bytes(training, worker),
        disk_there=worker.disk_free_bytes,
        choice=chosen,
        measured=len(worker.forecasts) >= _FEWEST_FORECASTS,
        steps=training.rhythm().steps,
    )


def _disk_bytes(training: Training, worker: TrainingWorker) -> int:
    """What its trainer keeps lies in the file store too; the worker says whether that is the same disk."""
    need = disk_need(
        parameters=training.shape.parameters,
        trained_parameters=training.trained_parameters,
        technique=training.technique,
        keep_checkpoints=training.read.keep_checkpoints,
    )
    return need * int(worker.device.get("disk_copies", 1))


def forecast_seconds(training: Training, worker: TrainingWorker) -> float:
    """Before what the worker's earlier jobs say of such forecasts. 0 where its speed is not known."""
    facts = facts_of(worker)
    speed = worker.flops_per_second * _EFFICIENCY["cuda" if facts.on_gpu else "cpu"]
    if speed <= 0:
        return 0.0
    choice = _choice(training, facts)
    reads = _READS["cuda" if facts.on_gpu else "cpu"]
    rhythm = training.rhythm()
    step = _step_flops(training, training.read, choice) / speed
    evaluation = _evaluation_flops(training) / speed
    answers = training.samples * _SAMPLE_TOKENS * 4 * training.shape.parameters / reads
    loading = _STARTING_S + 4 * training.shape.parameters / 5e8

    def trained(steps: Rhythm) -> float:
        return steps.steps * step + steps.evaluations * evaluation + loading

    trials = int(training.sweep.get("trials", 0))
    whole = trained(rhythm) + (rhythm.checkpoints + 1) * answers
    return whole + (trials * trained(training.trial_rhythm()) if trials else 0.0)


def _step_flops(training: Training, settings: TrainingSettings, choice: Choice) -> float:
    rows = min(settings.batch_size * settings.gradient_accumulation, training.rows or 1)
    length = padded_length(training.quantiles, settings.batch_size, settings.max_length)
    return rows * length * _sides(training) * _token_flops(training, length, _passes(training, choice))


def _passes(training: Training, choice: Choice) -> float:
    """Forward passes that a trained token is worth."""
    passes = 3.0 if training.technique == FULL else 2.0
    passes += 1.0 if choice.checkpointing else 0.0
    if training.method == DPO:
        passes += 1.0  # the reference
    if training.method == KTO:
        passes += 3.0  # the reference, and both once more on answers to other prompts
    return passes


def _evaluation_flops(training: Training) -> float:
    length = padded_length(training.quantiles, training.read.batch_size, training.read.max_length)
    passes = {DPO: 2.0, KTO: 4.0}.get(training.method, 1.0)
    return training.validation_rows * length * _sides(training) * _token_flops(training, length, passes)


def _token_flops(training: Training, length: float, passes: float) -> float:
    shape = training.shape
    return passes * (2 * shape.parameters + 2 * shape.layers * shape.hidden * length)


def _sides(training: Training) -> int:
    return 2 if training.method == DPO else 1


def padded_length(quantiles: Sequence[int], batch: int, max_length: int) -> float:
    """Tokens that each row of a batch takes: the expected longest of `batch` rows drawn at random."""
    if not quantiles:
        return min(_USUAL_LENGTH, max_length)
    n = len(quantiles)
    return sum(
        min(length, max_length) * (((place + 1) / n) ** batch - (place / n) ** batch)
        for place, length in enumerate(quantiles)
    )


def facts_of(worker: TrainingWorker) -> DeviceFacts:
    """As the trainer would find it; what is used by others at the moment is not counted."""
    device = worker.device
    memory = int(device.get("memory_bytes") or worker.memory_bytes)
    on_gpu = device.get("kind") == "cuda"
    return DeviceFacts(
        kind="cuda" if on_gpu else "cpu",
        name=str(device.get("name") or ("GPU" if on_gpu else "CPU")),
        memory_bytes=memory,
        free_bytes=memory,
        count=int(device.get("count") or 1),
        cores=worker.cores,
        bf16=bool(device.get("bf16", not on_gpu)),
        four_bit=bool(device.get("four_bit")),
    )


def _choice(training: Training, facts: DeviceFacts) -> Choice:
    return choose(
        facts,
        training.read,
        method=training.method,
        technique=training.technique,
        shape=training.shape,
        trained_parameters=training.trained_parameters,
        longest=training.longest,
    )


def _rough(seconds: float) -> float:
    unit = 10 if seconds < 300 else 60 if seconds < 7200 else 600
    return float(max(unit, round(seconds / unit) * unit))


def _spread(forecasts: Sequence[float]) -> tuple[float, float, float]:
    """Lowest, middle and highest of how long jobs took by what was forecast for them."""
    if len(forecasts) < _FEWEST_FORECASTS:
        middle = sorted(forecasts)[len(forecasts) // 2] if forecasts else 1.0
        return middle * _UNSURE[0], middle, middle * _UNSURE[1]
    ordered = sorted(forecasts)
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]
