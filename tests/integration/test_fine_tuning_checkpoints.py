"""Checkpoints of a job: kept before they count, pruned, checked, registered; a disk that is full."""

from __future__ import annotations

import errno
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from apps.training.models import Checkpoint, FineTuningJob, RegistryWork
from apps.training.registry.works import works_sweep
from apps.training.running import checkpoints, claiming, disk, finishing, services, supervising, working
from apps.training.running.errors import (
    CheckpointNotUsable,
    JobFailure,
    LeaseLost,
)
from apps.training.running.recording import Recorder
from tests.factories.core import SYSTEM
from tests.factories.training import make_checkpoint, make_job
from tests.supervised_jobs import registered, started, trained

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stand_ins")]
Status = FineTuningJob.Status


def test_old_checkpoints_are_pruned_but_the_best_and_the_last_stay():
    job = trained(steps=10)
    kept = {row.step for row in job.checkpoints.filter(pruned_at=None)}
    assert kept == {2, 8, 10}
    folders, _ = default_storage.listdir(f"training/{job.pk}")
    assert {name.split("-")[1] for name in folders} == {"2", "8", "10"}


def test_a_full_disk_is_told_before_the_training_and_while_a_checkpoint_is_kept(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 1000}')
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    job = trained()
    assert job.status == Status.FAILED
    assert job.failure["kind"] == "disk"
    assert "1.0 MB are free" in job.status_reason
    assert not job.points.exists()


def test_kept_checkpoints_are_room_that_a_job_which_goes_on_does_not_ask_for_again(
    monkeypatch, tmp_path, project
):
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 1000}')
    job = make_job(project, settings={"lora_r": 8})
    need = disk.need_of(job, job.settings, tmp_path)
    free = {"bytes": 2 * need - 1_000_000}  # the trainer writes it, and the file store keeps it
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free["bytes"]))
    [place] = disk.places()
    assert (place.name, place.copies, place.free_bytes) == ("the data folder", 2, free["bytes"])
    with pytest.raises(JobFailure, match="into the data folder"):
        disk.disk_check(job, job.settings, tmp_path)
    make_checkpoint(job, 2, size_bytes=1_000_000)
    disk.disk_check(job, job.settings, tmp_path)
    Checkpoint.objects.update(pruned_at=timezone.now())
    with pytest.raises(JobFailure):
        disk.disk_check(job, job.settings, tmp_path)


def test_a_full_disk_is_told_before_the_trials_of_a_sweep(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 1000}')
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    job = trained(sweep={"trials": 2, "steps": 4, "space": {"lora_r": [8, 64]}})
    assert job.failure["kind"] == "disk"
    assert not job.trials.exists()


@pytest.mark.parametrize(("module", "name"), [(supervising, "checkpoints_prune"), (working, "strays_remove")])
def test_what_cannot_be_tidied_up_costs_the_training_nothing(monkeypatch, module, name):
    def refused(*args, **options):
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr(module, name, refused)
    job = trained()
    assert job.status == Status.COMPLETED, job.status_reason
    assert job.log_lines.filter(level="warning", text__contains="could not be removed").exists()
    assert job.checkpoints.filter(pruned_at=None).count() == 3


@pytest.mark.parametrize("error", [LeaseLost, OperationalError, InterfaceError])
def test_a_lost_lease_and_a_database_that_is_away_are_no_matter_of_tidying_up(project, error):
    started(project)
    recorder = Recorder(claiming.claim_next("gpu@one"))
    with pytest.raises(error), recorder.sparing("Older checkpoints could not be removed"):
        raise error("gone")


def test_a_checkpoint_that_finds_the_disk_full_fails_the_job_with_what_to_do(monkeypatch):
    def full(path, name):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "_keep", full)
    job = trained()
    assert job.failure["kind"] == "disk"
    assert "is full" in job.status_reason
    assert any("Checkpoints kept" in advice for advice in job.failure["advice"])


def test_a_checkpoint_whose_file_was_changed_is_not_gone_on_from(tmp_path):
    job = trained(fake={"fail": 5, "kind": "disk"})
    newest, older = job.checkpoints.order_by("-step")
    with default_storage.open(f"{newest.folder}/trainer_state.json", "wb") as opened:
        opened.write(b'{"global_step": 400}')
    with pytest.raises(CheckpointNotUsable, match="its hash differs"):
        checkpoints.checkpoint_fetch(newest, tmp_path / "there")
    job.settings["fake"] = {}
    job.save()
    services.job_retry(job=job, by=SYSTEM)
    working.train_next(worker="gpu@one")
    job.refresh_from_db()
    assert job.status == Status.COMPLETED
    assert older.step == 2
    assert dict(job.points.values_list("step", "attempt"))[3] == 2
    assert job.log_lines.filter(text__contains="An earlier one is taken").exists()


def test_a_checkpoint_of_a_failed_job_is_registered_by_its_own(monkeypatch, stand_ins):
    from apps.training.running import registering

    monkeypatch.setattr(registering, "version_register", registered)
    job = trained(fake={"fail": 5, "kind": "diverged"})
    checkpoint = job.checkpoints.get(step=4)
    work = registering.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM)
    assert registering.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM) == work
    assert stand_ins[-1] == "worker.training.register_checkpoint"
    stand_ins.clear()  # it is lost with the broker
    RegistryWork.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    works_sweep()
    assert stand_ins == ["worker.training.register_checkpoint"]
    done = registering.checkpoint_register(work_id=work.pk)
    assert done.made.training_metrics == {"loss": 0.5, "steps": 4}
    again = registering.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM)
    Checkpoint.objects.update(pruned_at=timezone.now())
    checkpoint.refresh_from_db()
    refused = registering.checkpoint_register(work_id=again.pk)
    assert (refused.status, refused.made) == ("failed", None)
    assert "no longer there" in refused.status_reason
    with pytest.raises(CheckpointNotUsable):
        registering.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM)


def test_the_trainers_own_copies_of_pruned_checkpoints_leave_the_disk(monkeypatch):
    seen = []
    register = finishing.version_register

    def look(*, folder, **options):
        seen.extend(sorted(path.name for path in Path(folder).parent.glob("checkpoint-*")))
        return register(folder=folder, **options)

    monkeypatch.setattr(finishing, "version_register", look)
    job = trained(steps=10)
    assert job.status == Status.COMPLETED, job.status_reason
    assert seen == ["checkpoint-10", "checkpoint-2", "checkpoint-8"]


def test_files_of_a_checkpoint_that_gets_no_row_do_not_stay(monkeypatch, tmp_path):
    job = started()
    mine = claiming.claim_next("gpu@one")
    folder = tmp_path / "checkpoint-2"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    FineTuningJob.objects.filter(pk=job.pk).update(fence=mine.fence + 1)
    with pytest.raises(LeaseLost):
        checkpoints.checkpoint_store(mine, {"folder": str(folder), "step": 2}, claiming.Keeper(mine))
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
