"""The parts of the trainer that need no torch: its order, its rhythm, its choices, its words for failures."""

from __future__ import annotations

import errno
import json

import pytest

from apps.training.planning.catalogue import CATALOGUE, defaults_for
from apps.training.trainer.devices import DeviceFacts, choose
from apps.training.trainer.events import EventWriter
from apps.training.trainer.failures import (
    Circumstances,
    DivergedError,
    TrainingDataError,
    disk_full,
    failure_of,
    out_of_memory,
)
from apps.training.trainer.memory import (
    ModelShape,
    checkpointing_needed,
    disk_need,
    lora_parameters,
    memory_need,
    shape_of_config,
    usual_shape,
)
from apps.training.trainer.rhythm import best_step, out_of_patience, rhythm_of
from apps.training.trainer.settings import TrainingSettings, read_settings
from apps.training.trainer.spec import BadSpecError, TrainerSpec, read_spec, write_spec

#: SmolLM2-135M as its config.json says.
SMOLLM2 = {
    "num_hidden_layers": 30,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}
GB = 10**9
LAPTOP = DeviceFacts(kind="cpu", name="CPU", memory_bytes=16 * GB, free_bytes=12 * GB, bf16=True)
H100 = DeviceFacts(
    "cuda", "H100", 80 * GB, 79 * GB, capability=(9, 0), bf16=True, four_bit=True, cores=16, threads=16
)
T4 = DeviceFacts("cuda", "T4", 16 * GB, 15 * GB, capability=(7, 5), bf16=False, four_bit=True)


def settings_of(**given) -> TrainingSettings:
    return read_settings(given, method="sft", technique="lora")


def chosen(facts, *, parameters=135_000_000, technique="lora", longest=512, method="sft", **given):
    shape = usual_shape(parameters)
    trained = lora_parameters(shape, 16) if technique == "lora" else parameters
    return choose(
        facts,
        settings_of(**given),
        method=method,
        technique=technique,
        shape=shape,
        trained_parameters=trained,
        longest=longest,
    )


def test_an_order_comes_back_as_it_was_written(tmp_path):
    spec = TrainerSpec(
        job="7",
        method="dpo",
        technique="lora",
        base_folder=tmp_path / "base",
        train=tmp_path / "train.jsonl",
        output_folder=tmp_path / "out",
        settings={"beta": 0.2},
        resume_from=tmp_path / "checkpoint-40",
        samples=[[{"role": "user", "content": "“Hi”"}]],
    )
    write_spec(spec, tmp_path)
    assert read_spec(tmp_path) == spec
    written = json.loads((tmp_path / "spec.json").read_text())
    assert written["data"] == {"train": str(tmp_path / "train.jsonl"), "validation": None}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"method": "rlhf"}'])
def test_an_order_that_cannot_be_read_says_so(tmp_path, text):
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(BadSpecError):
        read_spec(tmp_path)


def test_the_trainer_reads_every_setting_of_the_catalogue():
    ours = set(TrainingSettings.__dataclass_fields__)
    here = {setting.name for setting in CATALOGUE if {"lora", "full"} & set(setting.techniques)}
    assert here == ours
    for method in ("sft", "dpo", "kto"):
        for technique in ("lora", "full"):
            defaults = defaults_for(method, technique)
            read = read_settings(defaults, method=method, technique=technique)
            assert all(getattr(read, name) == value for name, value in defaults.items())
    with pytest.raises(BadSpecError, match="learning_rate"):
        settings_of(learning_rate="fast")


def test_kto_never_trains_on_one_row_at_a_time():
    assert read_settings({"batch_size": 1}, method="kto", technique="lora").batch_size == 2


def test_the_rhythm_counts_incomplete_batches_and_keeps_the_last_step():
    rhythm = rhythm_of(
        settings_of(batch_size=4, gradient_accumulation=2, epochs=3, log_every=2),
        rows=25,  # 7 batches, 4 steps an epoch
        validated=True,
        keeps=True,
    )
    assert (rhythm.steps_per_epoch, rhythm.steps) == (4, 12)
    steps = range(1, 13)
    assert [step for step in steps if rhythm.saves(step)] == [4, 8, 12]
    assert [step for step in steps if rhythm.evaluates(step)] == [4, 8, 12]
    assert [step for step in steps if rhythm.logs(step)] == [1, 2, 4, 6, 8, 10, 12]


def test_most_steps_go_before_epochs_and_trials_keep_nothing():
    rhythm = rhythm_of(
        settings_of(max_steps=7, save_every=3, eval_every=2, log_every=100),
        rows=10,
        validated=True,
        keeps=False,
    )
    steps = range(1, 8)
    assert rhythm.steps == 7
    assert not any(rhythm.saves(step) for step in steps)
    assert [step for step in steps if rhythm.evaluates(step)] == [2, 3, 4, 6, 7]
    assert [step for step in steps if rhythm.logs(step)] == [1, 3, 6, 7]


@pytest.mark.parametrize(
    "given", [{}, {"save_every": 3}, {"save_every": 5, "eval_every": 2}, {"eval_every": 4}]
)
@pytest.mark.parametrize("patience", [0, 2])
def test_what_a_rhythm_measures_and_keeps_is_counted(given, patience):
    rhythm = rhythm_of(
        settings_of(batch_size=2, gradient_accumulation=1, epochs=3, early_stopping=patience, **given),
        rows=9,
        validated=True,
        keeps=True,
    )
    steps = range(1, rhythm.steps + 1)
    assert rhythm.evaluations == sum(rhythm.evaluates(step) for step in steps)
    assert rhythm.checkpoints == sum(
        rhythm.saves(step) or bool(patience and rhythm.evaluates(step)) for step in steps
    )
    # What may be gone on from was logged: the loss after it averages the same steps.
    assert all(rhythm.logs(step) for step in steps if rhythm.may_keep(step))


def test_the_best_step_is_one_that_is_kept():
    losses = [(2, 0.5), (4, 0.7), (6, 0.6), (8, 0.6)]
    assert best_step(losses, lambda step: True) == 2
    assert best_step(losses, lambda step: step > 2) == 6  # of two alike the earlier one
    assert best_step(losses, lambda step: step > 8) is None


@pytest.mark.parametrize(
    ("losses", "patience", "out"),
    [
        ([3.0, 2.0, 2.0, 2.1], 2, True),
        ([3.0, 2.0, 2.1, 1.9], 2, False),
        ([3.0, 2.0], 2, False),
        ([1.0, 2.0, 3.0, 4.0], 0, False),
    ],
)
def test_patience_ends_after_so_many_measurements_without_a_better_one(losses, patience, out):
    assert out_of_patience(losses, patience) is out


def test_the_shape_of_a_config_counts_its_weights():
    shape = shape_of_config(SMOLLM2)
    assert shape.parameters == 134_515_008  # as its file holds them
    assert lora_parameters(shape, 16) == 4_884_480  # as PEFT counts them, all linear layers
    assert lora_parameters(shape, 8, "attention") == 921_600
    with pytest.raises(ValueError, match="hidden size"):
        shape_of_config({"num_hidden_layers": 2})


def test_memory_grows_with_what_takes_it():
    shape = shape_of_config(SMOLLM2)

    def need(**other) -> int:
        given = {"technique": "lora", "batch": 4, "length": 512, "dtype": "fp32", **other}
        trained = 4_884_480 if given["technique"] == "lora" else shape.parameters
        return memory_need(parameters=shape.parameters, trained_parameters=trained, shape=shape, **given)

    plain = need()
    assert need(batch=8) > plain
    assert need(length=1024) > plain
    assert need(method="dpo") > plain
    assert need(checkpointing=True) < plain
    assert need(technique="full") > plain
    assert need(technique="full", optimizer="adafactor") < need(technique="full")
    assert need(technique="full", method="dpo") > need(technique="full") + 4 * shape.parameters
    assert need(dtype="bf16", on_gpu=True, four_bit=True) < need(dtype="bf16", on_gpu=True)
    assert not checkpointing_needed(
        available_bytes=12 * GB,
        parameters=shape.parameters,
        trained_parameters=4_884_480,
        technique="lora",
        batch=4,
        length=512,
        shape=shape,
    )
    one = disk_need(parameters=10**9, trained_parameters=10**9, technique="full", keep_checkpoints=1)
    three = disk_need(parameters=10**9, trained_parameters=10**9, technique="full", keep_checkpoints=3)
    assert one > 3 * 12 * GB
    assert three - one == 2 * (12 * GB + 8_000_000)


def test_a_usual_decoder_of_seven_billion_has_the_known_shape():
    shape = usual_shape(6_700_000_000)
    assert isinstance(shape, ModelShape)
    assert 3800 <= shape.hidden <= 4400
    assert 28 <= shape.layers <= 36


def test_a_cpu_trains_in_fp32_and_a_gpu_in_bf16_where_it_has_it():
    assert chosen(LAPTOP).dtype == "fp32"
    assert chosen(LAPTOP, precision="bf16").dtype == "bf16"
    assert (chosen(H100).dtype, chosen(H100).tf32) == ("bf16", True)
    old = chosen(T4, precision="bf16")
    assert (old.dtype, old.tf32) == ("fp32", False)
    assert "no bf16" in old.notes[0]


def test_checkpointing_and_four_bits_come_where_the_memory_would_not_do():
    small = chosen(H100, parameters=1_000_000_000)
    assert (small.checkpointing, small.four_bit, small.spread) == (False, False, False)
    long = chosen(H100, parameters=13_000_000_000, longest=8192, max_length=8192, batch_size=4)
    assert long.checkpointing
    assert not long.four_bit
    large = chosen(H100, parameters=70_000_000_000, batch_size=1)
    assert (large.checkpointing, large.four_bit) == (False, True)  # 4 bits leave room for the activations
    assert not chosen(H100, parameters=70_000_000_000, batch_size=1, four_bit="off").four_bit
    refused = chosen(LAPTOP, four_bit="on")
    assert not refused.four_bit
    assert "bitsandbytes" in refused.notes[0]
    assert chosen(LAPTOP, gradient_checkpointing="on").checkpointing


def test_a_base_larger_than_one_gpu_is_spread_over_those_there_are():
    two = DeviceFacts("cuda", "H100", 80 * GB, 79 * GB, count=2, capability=(9, 0), bf16=True)
    assert chosen(two, parameters=50_000_000_000, batch_size=1, four_bit="off").spread
    assert not chosen(two, parameters=7_000_000_000, batch_size=1).spread


def test_out_of_memory_says_what_to_lower():
    given = Circumstances("sft", "full", {"batch_size": 8, "gradient_accumulation": 2, "max_length": 2048})
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
    failure = failure_of(error, given)
    assert failure.kind == "out_of_memory"
    advice = " ".join(failure.advice)
    assert "from 8 to 4" in advice
    assert "from 2 to 4" in advice
    assert "checkpointing on" in advice
    assert "2048 to 1024" in advice
    assert "LoRA" in advice
    on_gpu = Circumstances("kto", "lora", {"batch_size": 2, "max_length": 128}, True, False, True)
    advice = " ".join(out_of_memory(on_gpu).advice)
    assert "4 bits" in advice
    assert "Rows at a time" not in advice  # KTO cannot go below two
    assert "checkpointing" not in advice
    assert "killed" in out_of_memory(on_gpu, killed=True).message


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"),
        Exception("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_as_such(error):
    failure = failure_of(error, Circumstances("sft", "lora", {}))
    assert failure == disk_full()
    assert failure.kind == "disk"


def test_other_failures_keep_their_words():
    given = Circumstances("sft", "lora", {"learning_rate": 0.01})
    diverged = failure_of(DivergedError("The loss became nan at step 3."), given)
    assert diverged.kind == "diverged"
    assert "from 0.01 to 0.002" in diverged.advice[0]
    assert failure_of(TrainingDataError("Row 3 …"), given).kind == "data"
    other = failure_of(KeyError("x"), given)
    assert (other.kind, other.message) == ("other", "KeyError: 'x'")


def test_events_are_whole_lines_of_json_even_after_a_torn_one(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"type": "poi')
    events = EventWriter(tmp_path)
    events.tell("point", step=1, values={"loss": float("nan"), "lr": 0.1, "all": [1.0, float("inf")]})
    events.close()
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert lines[0] == '{"type": "poi'
    assert json.loads(lines[1]) == {"type": "point", "step": 1, "values": {"lr": 0.1, "all": [1.0]}}
