"""What curves say, in words."""

from __future__ import annotations

import math

import pytest

from apps.training.watching.curves import Curve, curves_of
from apps.training.watching.explaining import Told, explain
from tests.factories.training import values_at

STEPS = 60


def notes_of(method: str = "dpo", over: bool = False, memory: int = 0, **replaced) -> dict[str, list[str]]:
    """Sentences by chart, of a training as it should go but for the figures in `replaced`."""
    rows = []
    for step in range(1, STEPS + 1):
        values = values_at(method, step, STEPS)
        for name, figure in replaced.items():
            name = name.replace("rewards_", "rewards/")
            value = figure(step) if callable(figure) else figure
            values.pop(name, None)
            if value is not None:
                values[name] = value
        rows.append((step, values))
    told = Told(
        method=method,
        settings={"learning_rate": 3e-4, "max_grad_norm": 1.0},
        over=over,
        memory_bytes=memory,
    )
    found: dict[str, list[str]] = {}
    for note in explain(curves_of(rows), told):
        found.setdefault(note.chart, []).append(f"{note.tone}: {note.text}")
    return found


def only(notes: dict[str, list[str]], chart: str) -> str:
    assert len(notes[chart]) == 1, notes[chart]
    return notes[chart][0]


def test_a_training_that_goes_as_it_should():
    notes = notes_of()
    assert only(notes, "loss").startswith("good: The loss falls, from 1.56 to 0.508.")
    assert only(notes, "rewards").startswith("good: The margin grows")
    assert only(notes, "accuracy").startswith("good: 8")
    assert only(notes, "grad_norm").startswith("good: Steady")
    assert only(notes, "learning_rate") == "plain: Falling from 0.0002, as planned."


def test_nothing_is_said_of_a_few_points():
    rows = [(step, values_at("dpo", step, STEPS)) for step in (1, 2, 3)]
    notes = explain(curves_of(rows), Told(method="dpo", settings={}))
    assert {note.chart for note in notes} <= {"learning_rate", "memory"}


@pytest.mark.parametrize("value", ["NaN", "Infinity", None, math.nan])
def test_a_training_that_diverged(value):
    curves = curves_of((step, {"loss": value if step > 20 else 1.0}) for step in range(1, 30))
    (note,) = explain(curves, Told(method="sft", settings={"learning_rate": 3e-4}))
    assert note.tone == "bad"
    assert note.text.startswith("Not a number since step 21")
    assert "0.0001 instead of 0.0003" in note.text


def test_a_chosen_reward_that_falls_with_a_growing_margin_is_common():
    note = only(notes_of(rewards_chosen=lambda step: -0.02 * step), "rewards")
    assert note.startswith("plain: The chosen reward falls too: common in DPO, watch the margin.")


def test_a_chosen_reward_that_falls_without_a_margin_is_warned_of():
    note = only(notes_of(rewards_chosen=lambda step: -0.02 * step, rewards_margins=0.01), "rewards")
    assert note.startswith("warn: The chosen reward falls and the margin does not grow")


def test_a_margin_below_zero():
    assert "labels swapped" in only(notes_of(rewards_margins=lambda step: -0.01 * step), "rewards")


def test_a_loss_that_rises_or_stays():
    assert "learning rate is probably too high" in only(notes_of(loss=lambda step: 0.7 + step / 50), "loss")
    note = only(notes_of(loss=lambda step: 0.693 + 0.001 * (step % 2)), "loss")
    assert note.startswith("warn: The loss has hardly moved")
    assert "0.693" in note


def test_rows_that_are_known_by_heart():
    low = {"loss": lambda step: 2.0 if step < 20 else 0.01}
    assert "by heart" in only(notes_of("sft", **low), "loss")
    falling = notes_of("sft", eval_loss={20: 1.0, 60: 0.2}.get, **low)
    assert not any("by heart" in note for note in falling["loss"])
    noisy = notes_of("sft", loss=lambda step: 2.0 if step < 20 else 0.8 if step % 4 == 0 else 0.01)
    assert not any("by heart" in note for note in noisy["loss"])


def test_overfitting_names_the_step_to_go_back_to():
    measured = {10: 1.0, 20: 0.8, 30: 0.7, 40: 0.75, 50: 0.9, 60: 1.0}
    notes = notes_of(eval_loss=measured.get)["loss"]
    assert notes[0].startswith("warn: On validation rows the loss was lowest at step 30 (0.7)")
    assert "overfitting" in notes[0]


def test_validation_that_still_falls_at_the_end():
    notes = notes_of(over=True, eval_loss={20: 1.0, 40: 0.8, 60: 0.7}.get)["loss"]
    assert any("still falling at the end: more epochs may help" in note for note in notes)


def test_one_spike_of_the_gradient_is_told_and_many_are_warned_of():
    one = only(notes_of(grad_norm=lambda step: 9.0 if step == 30 else 0.5), "grad_norm")
    assert one.startswith("plain: Once far above the usual 0.5, the furthest 9 at step 30. They are cut to 1")
    many = only(notes_of(grad_norm=lambda step: 9.0 if step % 6 == 0 else 0.5), "grad_norm")
    assert many.startswith("warn: ")
    assert "lower the learning rate" in many
    uneven = only(notes_of(grad_norm=lambda step: 0.5 + step % 5), "grad_norm")
    assert uneven == "plain: Mostly between 0.5 and 4.5: small batches differ from each other."
    assert only(notes_of(grad_norm=0.0), "grad_norm").startswith("bad: Gradients are zero")


def test_accuracy_of_a_coin_and_of_a_text_known_by_heart():
    assert "no better than a coin" in only(notes_of(rewards_accuracies=0.5), "accuracy")
    assert "known by heart" in only(notes_of(rewards_accuracies=0.99), "accuracy")


def test_warm_up_is_told():
    note = only(
        notes_of(learning_rate=lambda step: 1e-4 * min(step, 10) / (1 if step < 11 else 2)), "learning_rate"
    )
    assert "Warmed up to 0.001 by step 10" in note


def test_memory_and_speed():
    assert only(notes_of(memory=16 * 1024**3), "memory").startswith("plain: At most 904 MiB, 6% of")
    assert only(notes_of(memory=950 * 1024**2), "memory").startswith("warn: 95% of")
    climbing = notes_of(memory_bytes=lambda step: 1e9 * (1 + step / 60))
    assert "climbs" in only(climbing, "memory")
    slower = notes_of(tokens_per_second=lambda step: 400.0 if step < 50 else 90.0)
    assert only(slower, "speed").startswith("warn: 90 a second now, 400 before")


def test_a_curve_keeps_what_is_no_number_apart():
    curve = curves_of([(1, {"loss": 1.0}), (2, {"loss": "NaN"}), (3, {"loss": 0.5})])["loss"]
    assert curve == Curve([1, 3], [1.0, 0.5], [2])
