"""Workers that train: leases and fences, lost and ending ones, what they say of their machine."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.training.models import FineTuningJob
from apps.training.running import claiming, finishing, services, sweeping, workers, working
from apps.training.running.errors import (
    LeaseLost,
)
from apps.training.running.recording import Recorder
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM
from tests.factories.training import make_worker
from tests.supervised_jobs import curve, in_thread, started, trained

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stand_ins")]
Status = FineTuningJob.Status


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

    renewing = []

    def give_back(job):
        renewing.extend(thread for thread in threading.enumerate() if thread.name == "training-lease")
        claiming.give_back(job)

    monkeypatch.setattr(working, "give_back", give_back)
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
    assert renewing == []  # nobody takes the lease again that is given back
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
    assert worker.device["disk_copies"] == 2  # the file store lies on the same disk
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


def test_a_job_that_was_cancelled_while_nobody_had_it_ends_in_the_sweep():
    job = started()
    claimed = claiming.claim_next("gpu@lost")
    for number in (0, 1):
        claimed.trials.create(number=number)
    services.job_stop(job=job, by=SYSTEM, keep=False)
    sweeping.jobs_sweep()
    job.refresh_from_db()
    assert job.status == Status.STOPPING  # its worker still has the lease
    FineTuningJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.jobs_sweep()
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert list(job.trials.values_list("number", "state")) == [(0, "failed")]  # a trial begins anew


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
