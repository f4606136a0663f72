"""Time and memory of a training on a worker, and what moves them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.training.models import TrainingWorker
from apps.training.planning.catalogue import defaults_for
from apps.training.planning.estimates import Training, estimate, forecast_seconds, padded_length
from apps.training.trainer.memory import ModelShape, usual_shape

GIB = 1024**3
SMOL = ModelShape(134_515_008, 30, 576, 1536, 49_152, 9, 3, 8192)
LAPTOP = TrainingWorker(
    name="gpu@laptop",
    device={"kind": "cpu", "name": "A CPU", "memory_bytes": 8 * GIB, "bf16": True},
    cores=2,
    memory_bytes=8 * GIB,
    disk_free_bytes=100 * GIB,
    flops_per_second=1e11,
    forecasts=[],
)
CARD = TrainingWorker(
    name="gpu@card",
    device={"kind": "cuda", "name": "A card", "memory_bytes": 24 * GIB, "bf16": True, "four_bit": True},
    memory_bytes=64 * GIB,
    disk_free_bytes=100 * GIB,
    flops_per_second=6e13,
    forecasts=[],
)


def training(
    method: str = "sft", technique: str = "lora", shape: ModelShape = SMOL, **settings: Any
) -> Training:
    return Training(
        method=method,
        technique=technique,
        settings={**defaults_for(method, technique), "gradient_checkpointing": "off", **settings},
        shape=shape,
        rows=320,
        quantiles=[100] * 101,
    )


def test_steps_are_those_of_the_trainer() -> None:
    assert estimate(training(), LAPTOP).steps == 60
    assert estimate(training(max_steps=7), LAPTOP).steps == 7


def test_time_is_operations_by_speed() -> None:
    """320 rows × 3 epochs × 100 tokens, four operations a weight and token, attention besides, at 45%."""
    tokens = 320 * 3 * 100
    operations = tokens * 2 * (2 * SMOL.parameters + 2 * 30 * 576 * 100)
    loading = 15 + 4 * SMOL.parameters / 5e8
    assert forecast_seconds(training(), LAPTOP) == pytest.approx(operations / 0.45e11 + loading)


@pytest.mark.parametrize(
    "longer",
    [
        training(epochs=6.0),
        training(method="dpo"),
        training(method="kto"),
        training(technique="full"),
        training(gradient_checkpointing="on"),
        replace(training(), validation_rows=100),
        replace(training(), samples=3),
        replace(training(), quantiles=[200] * 101),
        replace(training(), sweep={"trials": 4, "steps": 10}),
        training(shape=replace(SMOL, parameters=10**9)),
    ],
)
def test_more_work_takes_longer(longer: Training) -> None:
    assert forecast_seconds(longer, LAPTOP) > forecast_seconds(training(), LAPTOP)
    assert forecast_seconds(longer, CARD) < forecast_seconds(longer, LAPTOP)


def test_a_sweep_is_so_many_trainings_more() -> None:
    """Each loads the base, trains its steps, though no more than the job, and measures itself five times."""
    job = replace(training(max_steps=20), validation_rows=320)
    measured = forecast_seconds(job, LAPTOP) - forecast_seconds(training(max_steps=20), LAPTOP)
    steps = forecast_seconds(training(max_steps=40), LAPTOP) - forecast_seconds(
        training(max_steps=20), LAPTOP
    )
    loading = forecast_seconds(training(max_steps=20), LAPTOP) - steps  # 20 steps are as many more
    alone = forecast_seconds(job, LAPTOP)
    swept = replace(job, sweep={"trials": 3, "steps": 18})
    assert swept.trial_rhythm().evaluations == 5  # 4, 8, 12, 16, 18
    assert swept.rhythm().evaluations == 1
    trial = steps * 18 / 20 + 5 * measured + loading
    assert forecast_seconds(swept, LAPTOP) == pytest.approx(alone + 3 * trial)
    longest = replace(job, sweep={"trials": 3, "steps": 10_000})
    assert longest.trial_rhythm().steps == 20


def test_checkpoints_and_measurements_are_counted_as_the_trainer_makes_them() -> None:
    answered = replace(training(), samples=1, validation_rows=10)
    rare = replace(answered, settings={**answered.settings, "eval_every": 7})
    assert (answered.rhythm().evaluations, rare.rhythm().evaluations) == (3, 11)
    patient = replace(rare, settings={**rare.settings, "early_stopping": 2})
    assert patient.rhythm().checkpoints == 11  # each may be the best so far
    assert forecast_seconds(patient, LAPTOP) > forecast_seconds(rare, LAPTOP)


def test_a_disk_that_holds_the_file_store_too_takes_all_of_it_twice() -> None:
    apart = estimate(training(), LAPTOP)
    both = TrainingWorker(**{**_facts(LAPTOP), "device": {**LAPTOP.device, "disk_copies": 2}})
    assert estimate(training(), both).disk_bytes == 2 * apart.disk_bytes
    both.disk_free_bytes = apart.disk_bytes
    assert apart.disk_fits
    assert not estimate(training(), both).disk_fits


def test_earlier_jobs_put_the_forecast_right() -> None:
    slow = TrainingWorker(**{**_facts(LAPTOP), "forecasts": [2.0, 3.0, 2.5]})
    first, learned = estimate(training(), LAPTOP), estimate(training(), slow)
    assert learned.seconds == pytest.approx(2.5 * first.seconds)
    assert (learned.low_s, learned.high_s) == pytest.approx((2 * first.seconds, 3 * first.seconds))
    assert learned.measured
    assert not first.measured
    assert first.low_s < first.seconds < first.high_s


def _facts(worker: TrainingWorker) -> dict[str, Any]:
    return {field.name: getattr(worker, field.name) for field in TrainingWorker._meta.fields}


def test_what_does_not_fit_says_so() -> None:
    large = usual_shape(7_000_000_000)
    assert estimate(training(), LAPTOP).fits
    assert not estimate(training(shape=large), LAPTOP).fits
    assert not estimate(training(technique="full", shape=large), CARD).fits
    assert not estimate(training(), TrainingWorker(**{**_facts(LAPTOP), "disk_free_bytes": 10})).disk_fits


def test_a_card_takes_what_it_needs_to_fit() -> None:
    large = training(shape=usual_shape(13_000_000_000), four_bit="auto")
    chosen = estimate(replace(large, settings={**large.settings, "gradient_checkpointing": "auto"}), CARD)
    assert chosen.choice.four_bit
    assert chosen.choice.dtype == "bf16"
    assert chosen.fits


def test_rows_of_a_batch_are_as_long_as_the_longest() -> None:
    even = list(range(0, 1001, 10))
    assert padded_length(even, 1, 10_000) == pytest.approx(500, rel=0.02)
    assert padded_length(even, 4, 10_000) == pytest.approx(800, rel=0.02)  # the mean of the longest of four
    assert padded_length(even, 4, 128) <= 128
    assert padded_length([], 4, 64) == 64


def test_a_worker_whose_speed_is_not_known_is_not_guessed_at() -> None:
    unknown = TrainingWorker(**{**_facts(LAPTOP), "flops_per_second": 0})
    assert estimate(training(), unknown).seconds == 0
