"""Rows to train on, what a trainer says at its end, devices, sweeps: without a process."""

from __future__ import annotations

import json
import signal

import pytest

from apps.datasets.models import Example
from apps.training.models import FineTuningJob, Trial
from apps.training.running import datafiles, environment, sweeps
from apps.training.running.child import failure_of, visible_device
from apps.training.running.errors import JobFailure
from apps.training.running.reading import Tail, events_in, log_in
from apps.training.splits import part_of
from apps.training.trainer.failures import Circumstances
from tests.factories.prompts import make_prompt, make_version
from tests.factories.training import make_job, make_training_version

ASKED = [{"role": "user", "content": "Where is my order?"}]
SAID = [{"role": "assistant", "content": "On its way."}]


def row_of(method, inputs, reference, prompt_version=None):
    job = FineTuningJob(method=method, prompt_version=prompt_version)
    example = Example(key="one", inputs=inputs, reference=reference, split="train")
    return datafiles._row(job, example, datafiles.TRAIN)


def test_rows_of_training_sets_are_taken_in_trls_columns():
    sft = row_of("sft", {"prompt": ASKED}, {"completion": SAID})
    assert sft.columns == {"prompt": ASKED, "completion": SAID}
    assert list(sft.columns["prompt"][0]) == ["role", "content"]
    kto = row_of("kto", {"prompt": ASKED}, {"completion": SAID, "label": False})
    assert kto.columns == {"prompt": ASKED, "completion": SAID, "label": False}
    dpo = row_of("dpo", {"prompt": ASKED}, {"chosen": SAID, "rejected": "No idea."})
    assert dpo.columns["rejected"] == [{"role": "assistant", "content": "No idea."}]


@pytest.mark.parametrize(
    ("method", "inputs", "reference", "why"),
    [
        ("sft", {"prompt": ASKED}, {"completion": []}, "its completion is empty"),
        ("sft", {"prompt": ASKED}, {"completion": [{"role": "assistant", "content": "  "}]}, "is empty"),
        ("sft", {"prompt": [{"role": "user", "content": None}]}, {"completion": SAID}, "without text"),
        ("kto", {"prompt": ASKED}, {"completion": SAID, "label": "yes"}, "neither true nor false"),
        ("dpo", {"question": "Where?"}, "Here.", "it has no prompt and chosen and rejected"),
        ("sft", {"question": "Where?"}, "Here.", "no prompt was chosen"),
    ],
)
def test_a_row_that_cannot_be_trained_on_says_why(method, inputs, reference, why):
    row = row_of(method, inputs, reference)
    assert row.columns == {}
    assert why in row.problem


@pytest.mark.django_db
def test_rows_of_any_dataset_are_rendered_by_the_jobs_prompt(project):
    version = make_version(make_prompt(project, "Support"), "Answer: {{ question }}")
    row = row_of("sft", {"question": "Where?"}, ["Here.", "There."], version)
    assert row.columns["prompt"][-1]["content"] == "Answer: Where?"
    assert row.columns["completion"] == [{"role": "assistant", "content": "Here."}]
    assert "nothing to learn" in row_of("sft", {"question": "Where?"}, None, version).problem
    assert "question" in row_of("sft", {"other": "Where?"}, "Here.", version).problem


@pytest.mark.parametrize(
    ("split", "has_train", "part"),
    [
        ("train", True, "train"),
        ("Training", True, "train"),
        ("", False, "train"),
        ("", True, ""),
        ("dev", True, "validation"),
        ("validation", False, "validation"),
        ("test", False, ""),
    ],
)
def test_rows_for_tests_are_never_trained_on(split, has_train, part):
    assert part_of(split, has_train=has_train) == part


@pytest.mark.django_db
def test_the_same_rows_are_the_same_bytes_and_one_row_more_is_another_hash(project, tmp_path):
    job = make_job(project, dataset_version=make_training_version(project, "dpo"), method="dpo")
    first, second = (datafiles.write_rows(job, tmp_path / name) for name in ("one", "two"))
    assert first.rows == {"train": 12, "validation": 4}
    assert first.sha256 == second.sha256
    assert first.train.read_bytes() == second.train.read_bytes()
    assert json.loads(first.train.read_text().splitlines()[0])["chosen"][0]["role"] == "assistant"
    more = make_job(project, dataset_version=make_training_version(project, "dpo", train=13), method="dpo")
    assert datafiles.write_rows(more, tmp_path / "three").sha256 != first.sha256
    wrong = make_job(project, dataset_version=job.dataset_version, method="sft")
    with pytest.raises(JobFailure, match="There is no row to train on"):
        datafiles.write_rows(wrong, tmp_path / "four")


def test_whole_lines_are_read_once_and_a_torn_one_when_it_is_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab", buffering=0) as writer:
        writer.write(b'{"type": "stage", "stage": "loading"}\n{"type": "poi')
        assert events_in(tail.lines()) == [{"type": "stage", "stage": "loading"}]
        writer.write(b'nt", "step": 1}\nnot json\n[1]\n{"type": 3}\nlast')
        assert events_in(tail.lines()) == [{"type": "point", "step": 1}]
        assert tail.lines(ended=True) == [b"last"]
        assert tail.lines(ended=True) == []
    tail.close()
    assert log_in([b"one \xff\x00", b" 40%|####      | 4/10", "— saving".encode(), b"x" * 3000]) == [
        "one �",
        "x" * 2000,
    ]


def test_a_trainer_that_was_killed_is_told_as_out_of_memory_with_what_to_lower():
    given = Circumstances("sft", "lora", {"batch_size": 8, "max_length": 1024})
    failure = failure_of(-signal.SIGKILL, ["step 3"], given)
    assert failure.kind == "out_of_memory"
    assert any("from 8 to 4" in advice for advice in failure.advice)
    assert "SIGSEGV" in failure_of(-signal.SIGSEGV, [], given).message
    assert failure_of(1, ["", "cannot go on", " "], given).message.endswith("It last said: cannot go on")


def test_each_worker_of_a_machine_sees_one_device():
    def seen(number, workers, listed=""):
        return visible_device({"LLMOPS_WORKER_NUMBER": number, "CUDA_VISIBLE_DEVICES": listed}, workers)

    assert seen("1", 1) == {}
    assert seen("2", 4) == {"CUDA_VISIBLE_DEVICES": "1"}
    assert seen("2", 2, "3,5") == {"CUDA_VISIBLE_DEVICES": "5"}
    assert seen("3", 3, "3,5") == {"CUDA_VISIBLE_DEVICES": ""}  # more workers than devices: on the processor


def test_what_is_otherwise_than_at_the_first_start_is_said():
    before = {"packages": {"torch": "2.13.0", "trl": "1.16.0"}, "device": "cuda", "commit": "a"}
    now = {"packages": {"torch": "2.14.0", "trl": "1.16.0"}, "device": "cpu", "commit": "a"}
    assert environment.differences(before, now) == [
        "torch 2.13.0 before, 2.14.0 now",
        "device cuda before, cpu now",
    ]
    assert {"torch", "trl", "peft"} <= environment.installed_packages().keys()
    assert environment.hardware()["cores"] >= 1


def test_a_sweep_reads_ranges_ranks_and_keeps_alpha_with_the_rank():
    assert sweeps.powers_of_two(8, 64) == [8, 16, 32, 64]
    assert sweeps.powers_of_two(6, 20) == [6, 8, 16, 20]
    settings = {"lora_r": 16, "lora_alpha": 32, "beta": 0.1}
    assert sweeps.whole_choice(settings, {"lora_r": 64}) == {"lora_r": 64, "lora_alpha": 128}
    assert sweeps.whole_choice(settings, {"beta": 0.3}) == {"beta": 0.3}
    space = {"learning_rate": [1e-5, 1e-3], "lora_r": [8, 64]}
    sweep = sweeps.Sweep(trials=3, steps=10, objective="rewards/margins", space=space)
    found = sweeps.distributions_of(sweep)
    assert found["learning_rate"].log
    assert found["lora_r"].choices == (8, 16, 32, 64)
    assert not sweep.lowest
    trials = [
        Trial(number=1, state="completed", value=0.2),
        Trial(number=2, state="failed", value=None),
        Trial(number=3, state="completed", value=0.7),
        Trial(number=4, state="pruned", value=None),
    ]
    assert sweeps.best_of(sweep, trials).number == 3
    assert sweeps.best_of(sweep, trials[1:2]) is None
    assert sweeps.validated(sweep, {"eval_rewards/margins": 0.5, "rewards/margins": 9.0}) == 0.5
    assert sweeps.validated(sweep, {"rewards/margins": 9.0}) is None
