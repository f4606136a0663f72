"""A worker and the process that trains for it: figures, checkpoints, stops, losses, failures, fences.

The process is a stand-in that speaks as the trainer does; the trainer itself trains in
test_fine_tuning_running.py.
"""

from __future__ import annotations

import errno
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.training.models import Checkpoint, FineTuningJob, MetricPoint
from apps.training.running import checkpoints, claiming, disk, finishing, services, sweeping, workers, working
from apps.training.running.errors import (
    CheckpointNotUsable,
    JobNotADraft,
    JobNotRunning,
    JobNotToRetry,
    LeaseLost,
)
from apps.training.running.finishing import job_seconds
from apps.training.running.recording import Recorder
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM, make_project
from tests.factories.training import make_job, make_model_version, make_training_version, make_worker
from tests.fake_trainer import loss_at

pytestmark = pytest.mark.django_db(transaction=True)
Status = FineTuningJob.Status
RATE = 1e-4


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path, settings):
    """Registering and bases have tests of their own; here they are rows."""
    settings.MEDIA_ROOT = tmp_path / "files"
    monkeypatch.setattr("apps.training.running.child.TRAINER", "tests.fake_trainer")
    monkeypatch.setattr("apps.training.running.supervising.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(claiming, "RENEW_EVERY_S", 0.15)
    monkeypatch.setattr(working, "base_version_of", lambda *, project, base, by: base_of(project))
    monkeypatch.setattr(working, "weights_folder", lambda version: tmp_path)
    monkeypatch.setattr(finishing, "version_register", registered)
    sent = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *_: sent.append(name))
    return sent


def base_of(project):
    return make_model_version(project, "base", kind="base", source="folder")


def registered(*, job, folder, metrics, environment, by, step=None, held=None):
    """As the registry does: the version, and the job's pointer to it."""
    assert (Path(folder) / "adapter_model.safetensors").exists()
    version = make_model_version(job.project, "made", base=job.base_version, training_metrics=metrics)
    FineTuningJob.objects.filter(pk=job.pk).update(version=version)
    return version


def started(project=None, *, steps=6, fake=None, version=None, **fields):
    project = project or make_project()
    settings = {"learning_rate": RATE, "max_steps": steps, "keep_checkpoints": 2, "fake": fake or {}}
    job = make_job(
        project,
        dataset_version=version or make_training_version(project, train=4, validation=0),
        settings=settings,
        sample_prompts=[],
        **fields,
    )
    return services.job_start(job=job, by=SYSTEM)


def curve(job, trial=0):
    points = MetricPoint.objects.filter(job=job, trial=trial).order_by("step")
    return {point.step: point.values["loss"] for point in points}


def trained(**options):
    job = started(**options)
    working.train_next(worker="gpu@one")
    job.refresh_from_db()
    return job


def test_a_job_is_trained_registered_and_leaves_what_reproduces_it(stand_ins, monkeypatch):
    worker = make_worker("gpu@one")
    monkeypatch.setattr(finishing, "forecast_of", lambda job, worker: job_seconds(job) / 2)
    job = trained()
    worker.refresh_from_db()
    assert worker.forecasts == [2.0]
    assert job.status == Status.COMPLETED, job.status_reason
    assert curve(job) == {step: loss_at(step, RATE) for step in range(1, 7)}
    assert job.version.base == job.base_version
    assert job.version.training_metrics["steps"] == 6
    assert len(job.data_hash) == 64
    assert job.environment["worker"] == "gpu@one"
    assert {"trl", "torch", "peft"} <= job.environment["packages"].keys()
    assert job.environment["hardware"]["cores"] >= 1
    assert job.environment["dtype"] == "fp32"
    assert job.finished_at
    assert job.lease_until is None
    assert job.trained_s > 0
    assert next(line.text for line in job.log_lines.order_by("id")) == "gpu@one takes the job up."
    assert stand_ins == [services.TRAIN_TASK]
    # Of three checkpoints two are kept: the last, and the best.
    kept = {row.step: row.pruned_at is None for row in job.checkpoints.all()}
    assert kept == {2: True, 4: True, 6: True}  # two newest, and step 2 is the best
    again = trained(project=job.project, version=job.dataset_version)
    assert (curve(again), again.data_hash) == (curve(job), job.data_hash)


def test_old_checkpoints_are_pruned_but_the_best_and_the_last_stay():
    job = trained(steps=10)
    kept = {row.step for row in job.checkpoints.filter(pruned_at=None)}
    assert kept == {2, 8, 10}
    folders, _ = default_storage.listdir(f"training/{job.pk}")
    assert {name.split("-")[1] for name in folders} == {"2", "8", "10"}


def test_a_trainer_that_is_killed_once_goes_on_and_one_that_is_killed_again_is_out_of_memory():
    job = trained(fake={"kill": 5})
    assert job.status == Status.COMPLETED
    assert job.attempt == 2
    assert curve(job) == {step: loss_at(step, RATE) for step in range(1, 7)}
    attempts = dict(job.points.values_list("step", "attempt"))
    assert attempts == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2}  # from the checkpoint of step 4
    failed = trained(fake={"always_kill": 5})
    assert failed.status == Status.FAILED
    assert failed.failure["kind"] == "out_of_memory"
    assert "memory" in failed.status_reason
    assert any("Rows at a time" in advice for advice in failed.failure["advice"])
    assert (
        failed.failure["usable"]
        == "The checkpoint of step 4 of 6 can be registered as it is, or gone on from."
    )


@pytest.mark.parametrize("kind", ["out_of_memory", "diverged", "disk"])
def test_what_the_trainer_tells_of_its_failure_is_the_jobs(kind):
    job = trained(fake={"fail": 3, "kind": kind})
    assert (job.status, job.status_reason) == (Status.FAILED, "It went wrong.")
    assert job.failure["kind"] == kind
    assert job.failure["advice"] == ["Do less."]


def test_a_trainer_that_says_nothing_is_quoted_by_its_log():
    job = trained(fake={"crash": 3})
    assert job.failure["kind"] == "other"
    assert job.status_reason.endswith("It last said: cannot go on")


def test_a_failed_job_goes_on_from_its_last_checkpoint_when_somebody_retries():
    job = trained(fake={"fail": 5, "kind": "disk"})
    job.settings["fake"] = {}
    job.save()
    services.job_retry(job=job, by=SYSTEM)
    working.train_next(worker="gpu@two")
    job.refresh_from_db()
    assert job.status == Status.COMPLETED
    assert dict(job.points.values_list("step", "attempt")) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2}
    assert job.log_lines.filter(text__contains="goes on from step 4").exists()
    with pytest.raises(JobNotToRetry):
        services.job_retry(job=job, by=SYSTEM)
    with pytest.raises(JobNotADraft):
        services.job_start(job=job, by=SYSTEM)


def test_a_full_disk_is_told_before_the_training_and_while_a_checkpoint_is_kept(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text('{"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 1000}')
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    job = trained()
    assert job.status == Status.FAILED
    assert job.failure["kind"] == "disk"
    assert "1.0 MB are free" in job.status_reason
    assert not job.points.exists()


def test_a_checkpoint_that_finds_the_disk_full_fails_the_job_with_what_to_do(monkeypatch):
    def full(path, name):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "_keep", full)
    job = trained()
    assert job.failure["kind"] == "disk"
    assert "is full" in job.status_reason
    assert any("Checkpoints kept" in advice for advice in job.failure["advice"])


def test_stop_and_keep_saves_what_there_is_and_cancel_keeps_nothing():
    for keep, status in ((True, Status.STOPPED), (False, Status.CANCELLED)):
        job = started(fake={"pause": 3})
        work = threading.Thread(target=in_thread, args=("gpu@one",))
        work.start()
        wait_until(lambda job=job: job.points.filter(step=2).exists(), seconds=20, what="The second step")
        services.job_stop(job=job, by=SYSTEM, keep=keep)
        work.join(20)
        job.refresh_from_db()
        assert job.status == status, job.status_reason
        assert (job.version is not None) == keep
        assert set(curve(job)) == ({1, 2, 3} if keep else {1, 2})
        with pytest.raises(JobNotRunning):
            services.job_stop(job=job, by=SYSTEM, keep=keep)
    waiting = started()
    services.job_stop(job=waiting, by=SYSTEM, keep=False)
    waiting.refresh_from_db()
    assert waiting.status == Status.CANCELLED
    assert working.train_next(worker="gpu@one") is None


def in_thread(worker):
    from django.db import connection

    try:
        working.train_next(worker=worker)
    finally:
        connection.close()


def test_a_worker_whose_job_was_taken_over_writes_nothing_and_its_trainer_ends():
    job = started(fake={"pause": 3})
    work = threading.Thread(target=in_thread, args=("gpu@slow",))
    work.start()
    wait_until(lambda: job.points.filter(step=2).exists(), seconds=20, what="The second step")
    # As after a pause of the machine that was longer than the lease.
    FineTuningJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    other = claiming.claim_next("gpu@quick")
    if other is None:  # the slow one renewed in between: its fence is raised as a claim raises it
        FineTuningJob.objects.filter(pk=job.pk).update(fence=job.fence + 2, worker="gpu@quick")
    work.join(20)
    assert not work.is_alive()
    job.refresh_from_db()
    assert (job.status, job.worker) == (Status.RUNNING, "gpu@quick")
    assert not job.points.filter(step__gt=2).exists()
    stale = FineTuningJob.objects.get(pk=job.pk)
    stale.fence -= 1
    for write in (
        lambda: claiming.hold(stale, progress={"step": 99}),
        lambda: Recorder(stale).record([{"type": "point", "step": 99, "values": {"loss": 1.0}}]),
        lambda: finishing.job_end(stale, Status.FAILED),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert not job.points.filter(step=99).exists()


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


def test_a_sweep_tries_settings_and_trains_with_the_best_whoever_goes_on():
    sweep = {"trials": 4, "steps": 4, "objective": "eval_loss", "space": {"learning_rate": [1e-5, 1e-2]}}
    job = trained(sweep=sweep)
    assert job.status == Status.COMPLETED, job.status_reason
    trials = {trial.number: trial for trial in job.trials.all()}
    assert set(trials) == {0, 1, 2, 3, 4}
    rates = {number: trial.chosen["learning_rate"] for number, trial in trials.items()}
    assert len({rates[number] for number in (1, 2, 3, 4)}) == 4
    done = [trials[number] for number in (1, 2, 3, 4) if trials[number].state == "completed"]
    best = min(done, key=lambda trial: trial.value)
    assert rates[0] == best.chosen["learning_rate"]
    assert curve(job)[6] == loss_at(6, rates[0])
    assert trials[0].value == loss_at(6, rates[0])
    assert not Checkpoint.objects.filter(job=job, trial__gt=0).exists()
    # Rebuilt from rows, the study asks the same next time: a lost worker changes nothing.
    again = started(project=job.project, version=job.dataset_version, sweep=sweep)
    first = trials[1]
    again.trials.create(
        number=1, chosen=first.chosen, state=first.state, value=first.value, seconds=first.seconds
    )
    working.train_next(worker="gpu@two")
    assert {trial.number: trial.chosen["learning_rate"] for trial in again.trials.all()} == rates


def test_a_job_that_takes_each_worker_down_is_given_up_with_a_word_on_it():
    job = started()
    FineTuningJob.objects.filter(pk=job.pk).update(attempt=claiming.MOST_LOSSES + 1)
    working.train_next(worker="gpu@one")
    job.refresh_from_db()
    assert (job.status, job.failure["kind"]) == (Status.FAILED, "worker")
    assert "5 workers in a row" in job.status_reason


def test_the_sweep_offers_abandoned_jobs_to_a_free_worker_and_says_that_there_is_none(stand_ins):
    from apps.core.models import WorkerHeartbeat

    job = started()
    FineTuningJob.objects.update(offered_at=timezone.now() - timedelta(minutes=1))
    stand_ins.clear()
    sweeping.jobs_sweep()
    job.refresh_from_db()
    assert not stand_ins
    assert job.status_reason == sweeping.NO_WORKER
    beat = WorkerHeartbeat.objects.create(name="gpu@one", queues=["gpu"], pid=1, seen_at=timezone.now())
    make_worker("gpu@one")
    assert [worker.name for worker in workers.alive_workers()] == ["gpu@one"]
    sweeping.jobs_sweep()
    sweeping.jobs_sweep()  # not sent twice
    assert stand_ins == [services.TRAIN_TASK]
    job.refresh_from_db()
    assert job.status_reason == ""
    claimed = claiming.claim_next("gpu@one")
    FineTuningJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1), offered_at=None)
    beat.current_task = "worker.training.train_next"
    beat.save()
    sweeping.jobs_sweep()
    assert stand_ins == [services.TRAIN_TASK]  # it is busy, and looks for more itself when it is done
    beat.current_task = ""
    beat.save()
    sweeping.jobs_sweep()
    assert len(stand_ins) == 2
    assert claimed is not None
    assert claiming.claim_next("gpu@two") == job


def test_a_worker_that_is_told_to_end_hands_its_job_to_the_next_at_once(monkeypatch, stand_ins):
    from celery.worker import state

    job = started(fake={"pause": 3})
    work = threading.Thread(target=in_thread, args=("gpu@ending",))
    work.start()
    wait_until(lambda: job.checkpoints.filter(step=2).exists(), seconds=20, what="The first checkpoint")
    stand_ins.clear()
    monkeypatch.setattr(state, "should_stop", 0)  # as SIGTERM sets it while a task runs
    work.join(20)
    monkeypatch.undo()
    job.refresh_from_db()
    assert job.status == Status.RUNNING
    assert stand_ins == [services.TRAIN_TASK]
    claimed = claiming.claim_next("gpu@next")
    assert claimed == job
    assert claiming.losses(claimed) == 0


def test_what_a_worker_says_of_its_machine_and_how_well_its_forecasts_hold():
    found = {
        "kind": "cuda",
        "name": "A GPU",
        "memory_bytes": 24 * 10**9,
        "bf16": True,
        "flops": {"fp32": 1e13, "bf16": 9e13},
        "packages": {"torch": "2.13.0"},
    }
    worker = workers.announcement_write("gpu@one", found)
    assert worker.device["kind"] == "cuda"
    assert worker.device["memory_bytes"] == 24 * 10**9
    assert worker.flops_per_second == 9e13  # of the format that it trains in by itself
    assert worker.disk_free_bytes > 0
    for took in range(1, 31):
        workers.forecast_record(worker, forecast_s=10.0, took_s=float(took))
    worker.refresh_from_db()
    assert len(worker.forecasts) == workers.MOST_FORECASTS
    assert worker.forecasts[-1] == 3.0
    busy = workers.announcement_write("gpu@one", {**found, "flops": {"fp32": 1e12, "bf16": 2e12}})
    assert busy.forecasts == worker.forecasts
    assert busy.flops_per_second == 9e13
    other = workers.announcement_write("gpu@one", {**found, "name": "Another", "flops": {"fp32": 1e12}})
    assert other.flops_per_second == 1e12


def test_a_worker_without_a_gpu_leaves_jobs_to_those_that_have_one(stand_ins, monkeypatch):
    from apps.core.models import WorkerHeartbeat

    monkeypatch.setattr(working, "PASS_ON_AFTER_S", 0)
    for name, kind in (("gpu@cpu", "cpu"), ("gpu@cuda", "cuda")):
        make_worker(name, device={"kind": kind})
        WorkerHeartbeat.objects.create(name=name, queues=["gpu"], pid=1, seen_at=timezone.now())
    job = started()
    stand_ins.clear()
    assert working.train_next(worker="gpu@cpu") is None
    assert stand_ins == [services.TRAIN_TASK]  # passed on to the one that is free
    WorkerHeartbeat.objects.filter(name="gpu@cuda").update(current_task="worker.training.train_next")
    assert working.train_next(worker="gpu@cpu") is None
    assert len(stand_ins) == 1  # it is busy, and looks for more itself
    FineTuningJob.objects.update(offered_at=None)
    sweeping.jobs_sweep()
    assert len(stand_ins) == 1
    WorkerHeartbeat.objects.filter(name="gpu@cuda").delete()  # it is gone: the processor has to do
    assert working.train_next(worker="gpu@cpu") == job
    assert job.log_lines.filter(text__startswith="There is no GPU here").exists()


def test_a_database_that_is_away_for_a_moment_costs_nothing(monkeypatch):
    from django.db import OperationalError

    left = [2]
    whole = Recorder.record

    def record(self, *args, **options):
        if left[0]:
            left[0] -= 1
            raise OperationalError("the connection is closed")
        return whole(self, *args, **options)

    monkeypatch.setattr(Recorder, "record", record)
    monkeypatch.setattr("apps.training.running.supervising.DATABASE_RETRY_S", 0.01)
    job = trained()
    assert job.status == Status.COMPLETED
    assert left == [0]
    assert len(curve(job)) == 6


def test_a_checkpoint_of_a_failed_job_is_registered_by_its_own(monkeypatch, stand_ins):
    from apps.training.running import registering

    monkeypatch.setattr(registering, "version_register", registered)
    job = trained(fake={"fail": 5, "kind": "diverged"})
    checkpoint = job.checkpoints.get(step=4)
    services.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM)
    assert stand_ins[-1] == services.REGISTER_TASK
    version = registering.checkpoint_register(checkpoint_id=checkpoint.pk, by=SYSTEM)
    assert version is not None
    assert version.training_metrics == {"loss": 0.5, "steps": 4}
    Checkpoint.objects.update(pruned_at=timezone.now())
    checkpoint.refresh_from_db()
    assert registering.checkpoint_register(checkpoint_id=checkpoint.pk, by=SYSTEM) is None
    with pytest.raises(CheckpointNotUsable):
        services.job_register_checkpoint(job=job, checkpoint=checkpoint, by=SYSTEM)


def test_a_log_keeps_its_newest_lines(monkeypatch, project):
    monkeypatch.setattr("apps.training.running.recording.MOST_LOG_LINES", 10)
    monkeypatch.setattr("apps.training.running.recording._LOG_SLACK", 5)
    started(project)
    job = claiming.claim_next("gpu@one")
    recorder = Recorder(job)
    for place in range(40):
        recorder.record([], [f"line {place}"])
    recorder.record([{"type": "warning", "text": "the last\x00"}])
    kept = [line.text for line in job.log_lines.order_by("id")]
    assert 10 <= len(kept) <= 16
    assert kept[-2:] == ["line 39", "the last"]


def test_a_job_that_was_cancelled_while_nobody_had_it_ends_in_the_sweep():
    job = started()
    claimed = claiming.claim_next("gpu@lost")
    claimed.trials.create(number=1)
    services.job_stop(job=job, by=SYSTEM, keep=False)
    sweeping.jobs_sweep()
    job.refresh_from_db()
    assert job.status == Status.STOPPING  # its worker still has the lease
    FineTuningJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.jobs_sweep()
    job.refresh_from_db()
    assert (job.status, job.trials.get().state) == (Status.CANCELLED, "failed")


def test_a_job_that_begins_from_an_adapter_trains_on_it_merged_with_its_base(monkeypatch, project):
    adapter = make_model_version(project, "tone", kind="adapter", source="job", base=base_of(project))
    merged = make_model_version(project, "tone-merged", kind="merged", source="merge", base=adapter)
    asked = []
    monkeypatch.setattr(working, "base_version_of", lambda *, project, base, by: asked.append(base) or merged)
    base = {"kind": "version", "id": str(adapter.pk)}
    job = trained(project=project, base=base, base_version=adapter)
    assert job.status == Status.COMPLETED, job.status_reason
    assert asked == [base]
    assert job.base_version == merged, "an adapter cannot be served on top of another one"
    assert job.version.base == merged


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


def test_a_trainer_gets_no_secrets_and_its_words_no_nul(monkeypatch):
    from apps.training.running.child import trainer_environment
    from apps.training.running.errors import JobFailure

    secret = {"DATABASE_URL": "postgresql://", "LLMOPS_S3_SECRET_KEY": "x", "AWS_ACCESS_KEY_ID": "x"}
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    given = trainer_environment()
    assert not secret.keys() & given.keys()
    assert given["CUDA_VISIBLE_DEVICES"] == "3"
    assert JobFailure("data", "odd\x00 row", ("look\x00",)).message == "odd row"
