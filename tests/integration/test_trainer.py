"""The process that trains, on a tiny model: what it tells, what it leaves, how it goes on, how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.training.trainer.spec import TrainerSpec, write_spec
from tests.factories.tiny_model import tiny_model_folder, tiny_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trainers")]

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"batch_size": 3, "gradient_accumulation": 2, "epochs": 2, "save_every": 2, "log_every": 3} | {
    "learning_rate": 1e-3,
    "lora_dropout": 0.1,
    "max_length": 256,
}
#: What a machine's clock and memory decide.
_UNEQUAL = ("tokens_per_second", "memory_bytes")


@pytest.fixture(scope="module", autouse=True)
def _own_environment(tmp_path_factory) -> Iterator[None]:
    """The trainer sets these for its process; here the process is that of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        patch.setenv("OMP_WAIT_POLICY", os.environ.get("OMP_WAIT_POLICY", "PASSIVE"))
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        patch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("base") / "tiny")


def row(method: str, number: int) -> dict[str, Any]:
    asked = [{"role": "user", "content": f"Question {number}: what is {number} + 2?"}]
    if number % 2:
        asked.insert(0, {"role": "system", "content": "Be brief."})
    good = [{"role": "assistant", "content": f"It is {number + 2}. ✓"}]
    bad = [{"role": "assistant", "content": f"Nobody knows, {number} times."}]
    if method == "dpo":
        return {"prompt": asked, "chosen": good, "rejected": bad}
    if method == "kto":
        return {"prompt": asked, "completion": good if number % 3 else bad, "label": bool(number % 3)}
    return {"prompt": asked, "completion": good}


class Run:
    """One training in a folder, in this process; its events by type."""

    def __init__(self, folder: Path, code: int) -> None:
        self.folder, self.code = folder, code
        lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
        self.events = [json.loads(line) for line in lines]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def end(self) -> dict[str, Any]:
        [end] = self.told("end")
        return end

    @property
    def failure(self) -> dict[str, Any]:
        assert self.code == 3
        [failure] = self.told("failure")
        return failure

    @property
    def curve(self) -> dict[int, dict[str, float]]:
        """All figures by step that do not depend on the machine's speed."""
        return {
            point["step"]: {name: value for name, value in point["values"].items() if name not in _UNEQUAL}
            for point in self.told("point")
        }

    def weights(self, name: str = "final") -> bytes:
        [path] = (self.folder / "out" / name).glob("*.safetensors")
        return path.read_bytes()


def order(
    folder: Path, base: Path, method: str = "sft", technique: str = "lora", **given: Any
) -> TrainerSpec:
    """Written into the folder, with 12 rows and 4 for validation where the caller brings none."""
    folder.mkdir(parents=True)
    rows = given.pop("rows", None) or [row(method, number) for number in range(12)]
    checked = [row(method, number) for number in range(40, 44)]
    for name, content in (("train", rows), ("validation", checked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in content))
    spec = TrainerSpec(
        job="1",
        method=method,
        technique=technique,
        base_folder=base,
        train=folder / "train.jsonl",
        validation=folder / "validation.jsonl",
        output_folder=folder / "out",
        settings=SETTINGS | given.pop("settings", {}),
        device="cpu",
        **given,
    )
    write_spec(spec, folder)
    return spec


def train(folder: Path, base: Path, method: str = "sft", technique: str = "lora", **given: Any) -> Run:
    from apps.training.trainer.__main__ import main

    order(folder, base, method, technique, **given)
    return Run(folder, main(folder))


@pytest.fixture(scope="module")
def unbroken(base, tmp_path_factory) -> Callable[..., Run]:
    """The training of a method without a break, made once."""
    made: dict[tuple[str, str], Run] = {}

    def run(method: str = "sft", technique: str = "lora") -> Run:
        if (method, technique) not in made:
            folder = tmp_path_factory.mktemp("unbroken") / "run"
            made[method, technique] = train(folder, base, method, technique)
        return made[method, technique]

    return run


@pytest.mark.parametrize(
    ("method", "technique"),
    [("sft", "lora"), ("sft", "full"), ("dpo", "lora"), ("dpo", "full"), ("kto", "lora")],
)
def test_a_training_that_goes_on_from_a_checkpoint_is_as_without_a_break(
    tmp_path, base, unbroken, method, technique
):
    whole = unbroken(method, technique)
    assert (whole.code, whole.end["reason"], whole.end["step"]) == (0, "done", 4)
    assert [event["step"] for event in whole.told("checkpoint")] == [2, 4]
    assert all("eval_loss" in event["metrics"] for event in whole.told("checkpoint"))
    checkpoint = whole.folder / "out" / "checkpoint-2"
    later = train(tmp_path / "later", base, method, technique, resume_from=checkpoint)
    assert list(later.curve) == [3, 4]
    assert later.curve == {step: whole.curve[step] for step in (3, 4)}
    assert later.weights() == whole.weights()
    expected = {"loss", "grad_norm", "learning_rate", "num_tokens", "eval_loss"}
    if method == "dpo":
        expected |= {"rewards/margins", "rewards/accuracies", "rewards/rejected", "eval_rewards/margins"}
    elif method == "kto":  # margins only where both labels were among the rows
        expected |= {"rewards/chosen", "kl"}
    assert expected <= whole.curve[4].keys()


def test_the_same_order_twice_gives_the_same_curve_and_samples(tmp_path, base, unbroken):
    samples = [[{"role": "user", "content": "Hi"}], [{"role": "user", "content": "What is 3 + 2?"}]]
    first, second = (train(tmp_path / name, base, samples=samples, sample_tokens=8) for name in "ab")
    other = train(tmp_path / "c", base, seed=7, settings={"max_steps": 1})
    assert first.curve == second.curve
    assert first.curve[1] != other.curve[1]
    told = [(event["step"], event["place"], event["output"]) for event in first.told("sample")]
    assert [(step, place) for step, place, _ in told] == [(0, 0), (0, 1), (2, 0), (2, 1), (4, 0), (4, 1)]
    assert told == [(event["step"], event["place"], event["output"]) for event in second.told("sample")]
    # Samples change nothing of the training itself.
    assert first.weights() == second.weights() == unbroken().weights()


def test_the_start_tells_what_runs_and_the_end_leaves_an_adapter_of_safe_files(tmp_path, base):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    settings = {"learning_rate": 0.02, "epochs": 5, "save_every": 5, "lora_targets": "attention", "lora_r": 4}
    run = train(tmp_path / "run", base, settings=settings)
    [start] = run.told("start")
    assert (start["steps"], start["dtype"], start["device"]["kind"]) == (10, "fp32", "cpu")
    assert start["rows"] == {"train": 12, "validation": 4}
    assert (start["truncated"], start["unseen"]) == (0, 0)
    assert start["trained_parameters"] == 2 * 4 * (2 * (32 + 32) + 2 * (32 + 16))
    assert {"torch", "trl", "peft", "transformers", "python"} <= start["packages"].keys()
    stages = [event["stage"] for event in run.told("stage")]
    assert stages == ["loading", "tokenizing", "loading", "training", "saving"]
    assert 0 < run.end["metrics"]["steps_per_second"] < 1000
    assert run.curve[10]["loss"] < 0.8 * run.curve[1]["loss"]
    final = Path(run.end["folder"])
    assert final == tmp_path / "run" / "out" / "final"
    assert {path.suffix for path in final.iterdir()} == {".json", ".jinja", ".safetensors"}
    config = json.loads((final / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert sorted(config["target_modules"]) == ["k_proj", "o_proj", "q_proj", "v_proj"]
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), final)
    assert any(part.abs().sum() > 0 for name, part in loaded.named_parameters() if "lora_B" in name)
    assert not list((tmp_path / "run").rglob("*.bin"))


def test_only_the_answer_is_trained_on(tmp_path, base):
    from apps.training.trainer.events import EventWriter
    from apps.training.trainer.spec import read_spec
    from apps.training.trainer.training import Training

    order(tmp_path / "run", base, rows=[row("sft", 1)] * 2)
    training = Training(read_spec(tmp_path / "run"), tmp_path / "run", EventWriter(tmp_path / "run"))
    tokenizer = tiny_tokenizer()
    train_rows, validation, lengths = training._rows(tokenizer)
    facts, choice = training._device(lengths)
    from apps.training.trainer.rhythm import rhythm_of

    rhythm = rhythm_of(training.settings, rows=2, validated=True, keeps=True)
    trainer, _, _ = training._trainer(tokenizer, train_rows, validation, facts, choice, rhythm)
    one = trainer.train_dataset[0]
    assert tokenizer.decode([label for label in one["labels"] if label != -100]) == "It is 3. ✓<|im_end|>\n"
    assert tokenizer.decode(one["input_ids"]).startswith("<|im_start|>system\nBe brief.<|im_end|>")
    assert lengths.longest == len(one["input_ids"])


def test_asked_to_stop_it_finishes_the_step_and_keeps_what_there_is(tmp_path, base, unbroken):
    order(tmp_path / "run", base)
    (tmp_path / "run" / "stop").touch()
    from apps.training.trainer.__main__ import main

    run = Run(tmp_path / "run", main(tmp_path / "run"))
    assert (run.code, run.end["reason"], run.end["step"]) == (0, "stopped", 1)
    assert [event["step"] for event in run.told("checkpoint")] == [1]
    assert run.weights() == run.weights("checkpoint-1")
    # What was stopped can go on to its end.
    later = train(tmp_path / "later", base, resume_from=tmp_path / "run" / "out" / "checkpoint-1")
    assert later.end["step"] == 4
    assert later.weights() == unbroken().weights()


def test_a_run_lost_after_its_last_step_only_saves(tmp_path, base, unbroken):
    whole = unbroken()
    checkpoint = whole.folder / "out" / "checkpoint-4"
    later = train(tmp_path / "later", base, resume_from=checkpoint)
    assert (later.end["step"], later.curve) == (4, {})
    assert later.weights() == whole.weights()
    assert later.end["metrics"]["eval_loss"] == whole.end["metrics"]["eval_loss"]


def test_out_of_patience_it_ends_early_with_the_best_weights(tmp_path, base):
    settings = {"learning_rate": 0.3, "save_every": 1, "epochs": 10, "early_stopping": 2, "warmup_ratio": 0}
    run = train(tmp_path / "run", base, settings=settings)
    losses = [(event["metrics"]["eval_loss"], event["step"]) for event in run.told("checkpoint")]
    best = min(losses)[1]
    assert run.end["early"]
    assert len(losses) == best + 2 < 20
    assert (run.end["best_step"], run.end["step"], run.end["reason"]) == (best, best, "done")
    assert run.weights() == run.weights(f"checkpoint-{best}")
    assert [event["step"] for event in run.told("checkpoint") if event["best"]][-1] == best


def test_the_best_measurement_is_kept_also_where_it_is_no_time_for_a_checkpoint(tmp_path, base):
    often = {"eval_every": 1, "epochs": 10, "warmup_ratio": 0}
    patient = often | {"learning_rate": 0.3, "early_stopping": 2, "save_every": 100}
    run = train(tmp_path / "patient", base, settings=patient)
    measured = {step: figures["eval_loss"] for step, figures in run.curve.items() if "eval_loss" in figures}
    best = min(measured, key=lambda step: measured[step])
    assert max(measured) == best + 2 < 20
    assert (run.end["best_step"], run.end["step"], run.end["early"]) == (best, best, True)
    assert run.weights() == run.weights(f"checkpoint-{best}")
    assert [event["step"] for event in run.told("checkpoint") if event["best"]][-1] == best
    # What was kept for its loss is gone on from as any other checkpoint.
    later = train(
        tmp_path / "later", base, settings=patient, resume_from=run.folder / "out" / f"checkpoint-{best}"
    )
    assert later.curve == {step: run.curve[step] for step in (best + 1, best + 2)}

    # Without patience nothing is kept for it: the best is one of those that are there.
    run = train(tmp_path / "hasty", base, settings=often | {"learning_rate": 0.3, "save_every": 4})
    kept = {event["step"]: event["metrics"]["eval_loss"] for event in run.told("checkpoint")}
    assert list(kept) == [4, 8, 12, 16, 20]
    best = min(kept, key=lambda step: kept[step])
    assert run.end["best_step"] == best
    assert [event["step"] for event in run.told("checkpoint") if event["best"]][-1] == best


def test_a_trial_of_a_sweep_is_measured_and_leaves_nothing(tmp_path, base):
    samples = [[{"role": "user", "content": "Hi"}]]
    run = train(tmp_path / "run", base, trial=2, settings={"max_steps": 3}, samples=samples)
    assert run.end["folder"] is None
    assert run.end["metrics"]["eval_loss"] > 0
    assert not run.told("checkpoint")
    assert not run.told("sample")
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_long_rows_are_counted_and_those_of_which_nothing_is_left_are_left_out(tmp_path, base):
    rows = [row("dpo", number) for number in range(12)]
    rows[3]["prompt"] = [{"role": "user", "content": "x" * 300}]
    rows[4]["chosen"] = [{"role": "assistant", "content": "y" * 300}]
    run = train(tmp_path / "run", base, "dpo", rows=rows, settings={"max_steps": 1})
    [start] = run.told("start")
    assert (start["rows"]["train"], start["truncated"], start["unseen"]) == (11, 2, 1)
    assert "1 of 12 rows are left out" in run.told("warning")[0]["text"]
    nothing = train(tmp_path / "none", base, settings={"max_length": 20})
    assert nothing.failure["kind"] == "data"
    assert "longer than 20 tokens" in nothing.failure["message"]


def test_failures_are_told_in_plain_words(tmp_path, base, monkeypatch):
    diverged = train(tmp_path / "diverged", base, settings={"learning_rate": 1e30, "log_every": 1})
    assert diverged.failure["kind"] == "diverged"
    assert "Lower the learning rate" in diverged.failure["advice"][0]
    odd = train(tmp_path / "odd", base, rows=[row("sft", 1), {"prompt": [], "completion": []}])
    assert (odd.failure["kind"], odd.failure["message"][:5]) == ("data", "Row 2")
    refusing = tiny_model_folder(tmp_path / "refusing")
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    (refusing / "chat_template.jinja").write_text(refusal)
    refused = train(tmp_path / "refused", refusing)
    assert refused.failure["kind"] == "data"
    assert "refuses row 2: no system role" in refused.failure["message"]
    (refusing / "chat_template.jinja").unlink()
    mute = train(tmp_path / "mute", refusing)
    assert mute.failure["kind"] == "base"
    assert "no chat template" in mute.failure["message"]
    (refusing / "model.safetensors").rename(refusing / "pytorch_model.bin")
    pickled = train(tmp_path / "pickled", refusing)
    assert pickled.failure["kind"] == "base"


def test_no_memory_and_no_disk_say_what_to_do(tmp_path, base, monkeypatch):
    import torch

    from apps.training.trainer import callbacks, training

    def too_large(*args: Any, **kwargs: Any) -> None:
        torch.zeros(10**14)  # more than any machine has

    with monkeypatch.context() as patch:
        patch.setattr(training, "load_model", too_large)
        greedy = train(tmp_path / "greedy", base)
    assert greedy.failure["kind"] == "out_of_memory"
    assert "from 3 to 1" in greedy.failure["advice"][0]
    assert "DefaultCPUAllocator" in greedy.failure["trace"]

    def full(*args: Any) -> None:
        torch.save({"weights": torch.zeros(1_000_000)}, "/dev/full")

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "finish_folder", full)
        crowded = train(tmp_path / "crowded", base)
    assert crowded.failure["kind"] == "disk"
    assert not crowded.told("checkpoint")


def test_as_a_process_it_ends_with_a_code_and_never_needs_django(tmp_path, base):
    order(tmp_path / "run", base, settings={"max_steps": 1})
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    environment |= {"OMP_NUM_THREADS": "1", "DATABASE_URL": "nowhere"}
    command = [sys.executable, "-X", "importtime", "-m", "apps.training.trainer", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "step 1 of 1" in done.stdout
    assert "django" not in {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert Run(tmp_path / "run", 0).end["step"] == 1


def test_the_probe_measures_the_device():
    from apps.training.trainer.probe import probe

    found = probe("cpu")
    assert found["kind"] == "cpu"
    assert found["flops"]["fp32"] > 1e8
    assert found["memory_bytes"] >= found["free_bytes"] > 0
    assert found["packages"]["trl"]
