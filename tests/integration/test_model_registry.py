"""From a folder that a job made to a version that prompts can name, with its hashes and lineage."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from apps.core.models import AuditEvent
from apps.providers.selectors import model_resolve
from apps.training.models import FineTuningJob, ModelState, ModelVersion
from apps.training.registry import merge_copies, registering
from apps.training.registry.bases import base_choices, base_version_of, weights_folder
from apps.training.registry.merging import merge_run, version_merge
from apps.training.registry.registering import version_register
from tests.factories.core import SYSTEM
from tests.factories.tiny_model import tiny_adapter_folder, tiny_model_folder
from tests.factories.training import ENVIRONMENT, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trainers")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny base and an adapter on it, as a trainer leaves them: with a pickle of its arguments beside."""
    root = tmp_path_factory.mktemp("models")
    base = tiny_model_folder(root / "base-models" / "tiny-base")
    (base / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    adapter = tiny_adapter_folder(root / "adapter", base)
    (adapter / "training_args.bin").write_bytes(b"\x80\x04pickle")
    return root


@pytest.fixture
def base_models(folders, settings):
    settings.BASE_MODELS_DIR = folders / "base-models"
    return settings.BASE_MODELS_DIR


@pytest.fixture
def registered(project, base_models, folders):
    """An adapter of a finished job, on the base in the folder."""
    job = make_job(project, status="registering", base={"kind": "folder", "name": "tiny-base"})
    job.base_version = base_version_of(project=project, base=job.base, by=SYSTEM)
    job.save()
    return version_register(
        job=job,
        folder=folders / "adapter",
        metrics={"loss": 0.5},
        environment=ENVIRONMENT,
        by=SYSTEM,
    )


def test_a_job_becomes_a_version_that_prompts_can_name(project, registered, folders):
    version = ModelVersion.objects.get(pk=registered.pk)
    assert (version.full_name, version.kind, version.base_licence) == ("support-tone-1-v1", "adapter", "mit")
    assert version.base.full_name == "tiny-base-v1"
    assert version.base.files.get(path="model.safetensors").sha256
    assert version.lineage["rows"] == {"train": 12, "validation": 4}
    assert version.recipe["settings"]["lora_r"] == 16
    assert version.recipe["environment"]["commit"]
    assert version.jobs.get().version == version

    paths = set(version.files.values_list("path", flat=True))
    assert "adapter_model.safetensors" in paths
    assert "training_args.bin" not in paths
    config = version.files.get(path="adapter_config.json")
    kept = json.loads(default_storage.open(config.stored_as).read())
    assert kept["base_model_name_or_path"] == "tiny-base-v1", "no path of the machine"

    model = model_resolve(project=project, name="local/support-tone-1-v1")
    assert model.context_window == 1024
    assert model.weights.base == {
        "kind": "folder",
        "name": "tiny-base",
        "files": model.weights.base["files"],
    }
    assert AuditEvent.objects.filter(action="model_version.register", target_id=str(version.pk)).exists()

    again = version_register(
        job=version.jobs.get(), folder=folders / "adapter", metrics={}, environment={}, by=SYSTEM
    )
    assert again == version, "a worker that registers twice makes one version"


def test_what_a_version_is_made_of_never_changes(registered):
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        ModelVersion.objects.filter(pk=registered.pk).update(fingerprint="0" * 64)
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        registered.files.update(sha256="0" * 64)


def test_an_adapter_that_jobs_begin_from_is_merged_once(project, registered):
    choices = {choice.label.split()[0]: choice for choice in base_choices(project)}
    assert choices["tiny-base"].licence == "mit"
    assert not choices["tiny-base"].problem
    chosen = choices["support-tone-1-v1"]
    merged = base_version_of(project=project, base=chosen.base, by=SYSTEM)
    assert (merged.full_name, merged.kind, merged.base) == ("support-tone-1-merged-v1", "merged", registered)
    assert base_version_of(project=project, base=chosen.base, by=SYSTEM) == merged
    work = version_merge(version=registered, by=SYSTEM)
    done = merge_run(work_id=work.pk)
    assert (done.status, done.made) == ("completed", merged), "what was merged is not merged again"
    assert merge_run(work_id=work.pk) is None

    import torch
    from safetensors.torch import load_file

    whole = load_file(weights_folder(merged) / "model.safetensors")
    plain = load_file(weights_folder(registered.base) / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    stored = registered.files.get(path="adapter_model.safetensors").stored_as
    lora = load_file(default_storage.path(stored))
    a, b = (lora[f"base_model.model.{name[:-7]}.lora_{side}.weight"] for side in "AB")
    assert torch.allclose(whole[name], plain[name] + 2 * b @ a, atol=1e-5)
    assert (weights_folder(merged) / "tokenizer.json").is_file()
    assert ModelState.objects.get(version=merged).model is not None


def test_an_adapter_that_two_machines_merge_at_once_is_one_version(project, registered, monkeypatch):
    quicker, store = [], registering.store

    def slow_store(hashed, *, prefix):
        monkeypatch.setattr(registering, "store", store)
        quicker.append(merge_copies._added(hashed.folder, registered, SYSTEM))
        return store(hashed, prefix=prefix)

    monkeypatch.setattr(registering, "store", slow_store)
    assert merge_copies.merged_version(registered, by=SYSTEM) == quicker[0]
    made = ModelVersion.objects.get(source="merge")
    kept = Path(default_storage.path(f"models/{project.slug}/{made.name}")).rglob("*")
    files = {path.name: path.parent.name for path in kept if path.is_file()}
    assert files == {file.path: file.stored_as.split("/")[-2] for file in made.files.all()}, (
        "nothing else stays"
    )


def test_a_worker_whose_job_was_taken_over_registers_nothing(project, registered, folders):
    job = FineTuningJob.objects.get(pk=registered.jobs.get().pk)
    FineTuningJob.objects.filter(pk=job.pk).update(version=None)
    stored = set(_stored_models(project))

    @contextmanager
    def lost():
        raise LookupError
        yield

    held = iter([nullcontext, lost])  # taken over while the files were stored
    with pytest.raises(LookupError):
        version_register(
            job=_as_number(job, 77),
            folder=folders / "adapter",
            metrics={},
            environment={},
            by=SYSTEM,
            held=lambda: next(held)(),
        )
    assert list(ModelVersion.objects.filter(source="job")) == [registered]
    assert set(_stored_models(project)) == stored


def _as_number(job, number):
    """Its weights are another job's, so that nothing is known of them."""
    job.number = number
    return job


def _stored_models(project):
    root = f"models/{project.slug}/support-tone-1"
    folders, _ = default_storage.listdir(root)
    return [name for name in folders if default_storage.listdir(f"{root}/{name}")[1]]
