"""Every export loads in TRL's own trainers: their checks of a dataset, and one training step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from apps.feedback.models import Feedback
from apps.feedback.training_sets import services
from apps.feedback.training_sets.exporting import content_of, files_of
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from tests.factories.core import SYSTEM
from tests.factories.feedback import make_annotation, make_feedback, make_queue, make_queue_item, make_span
from tests.factories.tiny_model import tiny_model

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.xdist_group("trainers")]


@pytest.fixture
def offline(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def judged(project):
    """Answers with thumbs, corrections of some, and votes on pairs; one conversation has a system message."""
    queue = make_queue(project, kind="pair")
    for place in range(6):
        messages = [
            *([{"role": "system", "content": "Be brief."}] if place % 2 else []),
            {"role": "user", "content": f"Question {place}: “what”\nis it?"},
        ]
        span = make_span(project, messages=messages, output=f"Answer {place} ✓")
        correction = f"A better answer {place}" if place < 3 else ""
        make_feedback(project, span, thumb=Feedback.DOWN if place < 3 else Feedback.UP, correction=correction)
        other = make_span(project, messages=messages, output=f"Another answer {place}")
        make_annotation(make_queue_item(queue, span=span, other_span=other), values={"vote": "second"})
    return project


def exported(project, method: str, folder: Path) -> dict[str, Path]:
    """The training files of a frozen set, by format."""
    made = services.training_set_create(
        project=project,
        by=SYSTEM,
        name=method,
        method=method,
        recipe=read_recipe({"tokenizer": "estimate", "train": 100, "validation": 0, "test": 0}),
    )
    preview_run(set_id=made.pk)
    services.training_set_freeze(training_set=made, by=SYSTEM)
    done = freeze_run(set_id=made.pk)
    assert done is not None
    paths = {}
    for file in files_of(done):
        path = folder / file.name
        path.write_text("".join(content_of(done, file)), encoding="utf-8")
        if file.split:
            paths[file.format] = path
    return paths


def test_each_export_goes_through_trls_trainers(judged, tmp_path, offline):
    import datasets
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
    from trl.data_utils import is_conversational

    columns = {
        "sft": ["prompt", "completion"],
        "kto": ["prompt", "completion", "label"],
        "dpo": ["prompt", "chosen", "rejected"],
    }
    trainers = {
        "sft": (SFTTrainer, SFTConfig, 3 + 3),
        "kto": (KTOTrainer, KTOConfig, 3 + 3 + 3),
        "dpo": (DPOTrainer, DPOConfig, 6 + 3),
    }
    for method, (trainer_class, config_class, rows) in trainers.items():
        folder = tmp_path / method
        folder.mkdir()
        files = exported(judged, method, folder)
        loaded = datasets.load_dataset(
            "json", data_files=str(files["trl"]), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert loaded.column_names == columns[method]
        assert len(loaded) == rows
        assert all(is_conversational(row) for row in loaded)
        model, tokenizer = tiny_model()
        reference = {} if method == "sft" else {"ref_model": tiny_model()[0]}
        config = config_class(
            output_dir=str(folder / "out"),
            max_steps=1,
            per_device_train_batch_size=2,
            bf16=False,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = trainer_class(
            model=model, args=config, train_dataset=loaded, processing_class=tokenizer, **reference
        )
        assert len(trainer.train_dataset) == rows, method
        assert trainer.train().training_loss > 0


def test_the_card_lets_datasets_find_the_splits_and_openai_gets_its_own_columns(judged, tmp_path, offline):
    import datasets

    files = exported(judged, "dpo", tmp_path)
    found = datasets.load_dataset(str(rename_card(tmp_path)), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in found.items()} == {"train": 9}
    for line in files["openai"].read_text().splitlines():
        row = json.loads(line)
        assert list(row) == ["input", "preferred_output", "non_preferred_output"]
        assert row["input"]["messages"][-1]["role"] == "user"
        assert [message["role"] for message in row["preferred_output"]] == ["assistant"]


def rename_card(folder: Path) -> Path:
    """Where the files lie together, the card is called README.md."""
    [card] = folder.glob("*-README.md")
    card.rename(folder / "README.md")
    return folder
