"""What the data suggests, what presets choose, and which settings are taken."""

from __future__ import annotations

import pytest

from apps.core.errors import InvalidInput
from apps.training.planning.advice import Judged, advise, is_balanced, label_weights
from apps.training.planning.catalogue import (
    BY_NAME,
    defaults_for,
    settings_read,
    value_read,
    warnings_of,
)
from apps.training.planning.presets import PRESETS, Situation, preset_settings
from apps.training.planning.setting import METHODS, TRAINED_HERE
from apps.training.planning.sweeps import sweep_read


@pytest.mark.parametrize(
    ("judged", "sentence"),
    [
        (
            Judged(265, 147, 35, 20),
            "412 thumbs, 35 pairs, 20 corrections: KTO, weight 1.8 for the rarer label.",
        ),
        (Judged(10, 3, 0, 200), "13 thumbs, 0 pairs, 200 corrections: SFT."),
        (Judged(10, 3, 400, 20), "13 thumbs, 400 pairs, 20 corrections: DPO."),
        (Judged(0, 9), "9 thumbs, all down."),
        (Judged(1, 0), "One thumb up."),
        (Judged(), "Nobody has judged answers yet."),
    ],
)
def test_the_advice_follows_what_there_is_most_of(judged: Judged, sentence: str) -> None:
    assert advise(judged).sentence == sentence


def test_little_data_is_called_little() -> None:
    assert "little yet" in advise(Judged(corrections=12)).why
    assert "little yet" not in advise(Judged(corrections=300)).why


@pytest.mark.parametrize(("good", "bad"), [(265, 147), (147, 265), (900, 100), (60, 59)])
def test_weights_balance_the_labels(good: int, bad: int) -> None:
    weights = {"desirable_weight": 1.0, "undesirable_weight": 1.0} | label_weights(good, bad)
    assert is_balanced(good, bad, **weights)
    assert min(weights.values()) == 1


def test_one_sided_labels_have_no_weights() -> None:
    assert label_weights(10, 0) == {}
    assert not is_balanced(10, 0, 1, 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("technique", [*TRAINED_HERE, "hosted"])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("parameters", [0, 135_000_000, 3_000_000_000, 8_000_000_000])
def test_presets_are_valid_and_usual(method: str, technique: str, preset: str, parameters: int) -> None:
    for gpu in (False, True):
        situation = Situation(
            method, technique, parameters, rows=300, long_row=700, good=80, bad=20, has_gpu=gpu
        )
        settings = preset_settings(preset, situation)
        assert settings_read(settings, method=method, technique=technique) == settings
        assert not warnings_of(settings, method=method, technique=technique)


def test_presets_heed_rows_lengths_and_labels() -> None:
    few = preset_settings(
        "balanced", Situation("kto", "lora", rows=50, long_row=300, context=8192, good=40, bad=10)
    )
    assert few["batch_size"] * few["gradient_accumulation"] == 8  # type: ignore[operator]
    assert few["max_length"] == 384
    assert few["undesirable_weight"] == 4
    long = preset_settings("balanced", Situation("sft", "lora", rows=5000, long_row=9000, context=1500))
    assert long["max_length"] == 1500
    assert preset_settings("quick", Situation("sft", "lora", rows=50_000))["max_steps"] == 60
    assert preset_settings("quick", Situation("sft", "lora", rows=100))["max_steps"] == 0


def test_settings_out_of_bounds_or_of_another_method_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        settings_read(
            {
                "learning_rate": 5,
                "beta": 0.1,
                "epochs": "many",
                "batch_size": 2.5,
                "colour": 1,
                "lora_r": True,
            },
            method="sft",
            technique="lora",
        )
    assert set(refused.value.fields) == {"learning_rate", "beta", "epochs", "batch_size", "colour", "lora_r"}
    assert refused.value.fields["learning_rate"] == ["Give a number from 1e-08 to 0.1."]


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), None, [], "1e999", 10**400])
def test_no_number_is_no_number(value: object) -> None:
    with pytest.raises(ValueError, match="Give a number"):
        value_read(BY_NAME["learning_rate"], value)


def test_unusual_settings_are_warned_of() -> None:
    settings = defaults_for("dpo", "lora") | {"learning_rate": 0.05, "beta": 5.0}
    assert set(warnings_of(settings, method="dpo", technique="lora")) == {"learning_rate", "beta"}


def test_a_sweep_is_read_with_its_bounds() -> None:
    space = {"learning_rate": [1e-5, 1e-3], "lora_r": [8.0, 64]}
    read = sweep_read({"space": space, "trials": 4}, method="sft", technique="lora")
    assert read == {"trials": 4, "steps": 40, "objective": "eval_loss", "space": space}
    assert sweep_read({}, method="sft", technique="lora") == {}


@pytest.mark.parametrize(
    "sweep",
    [
        {"space": {}},
        {"space": {"beta": [0.1, 0.5]}},
        {"space": {"lora_r": [64, 8]}},
        {"space": {"lora_r": [8]}},
        {"space": {"learning_rate": [1e-5, 7]}},
        {"space": {"lora_r": [8, 64]}, "trials": 1},
        {"space": {"lora_r": [8, 64]}, "objective": "rewards/margins"},
        {"space": {"lora_r": [8, 64]}, "colour": 3},
    ],
)
def test_what_a_sweep_cannot_vary_is_refused(sweep: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        sweep_read(sweep, method="sft", technique="lora")
