"""A worker and the process that trains for it: figures, failures, stops, going on, sweeps.

The process is a stand-in that speaks as the trainer does; the trainer itself trains in
test_fine_tuning_running.py.
"""

from __future__ import annotations

import threading

import pytest
from django.urls import reverse

from apps.core.roles import Role
from apps.training.models import Checkpoint, FineTuningJob
from apps.training.running import claiming, finishing, services, working
from apps.training.running.errors import (
    JobNotADraft,
    JobNotRunning,
    JobNotToRetry,
)
from apps.training.running.finishing import job_seconds
from apps.training.running.recording import Recorder
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM
from tests.factories.training import make_model_version, make_worker
from tests.fake_trainer import loss_at
from tests.supervised_jobs import RATE, base_of, curve, in_thread, started, trained

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stand_ins")]
Status = FineTuningJob.Status


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


def test_a_job_that_diverged_is_not_gone_on_with_from_where_it_would_diverge_again(client_as, project):
    job = trained(project=project, fake={"fail": 5, "kind": "diverged"})
    assert job.failure["usable"] == "The checkpoint of step 4 of 6 can be registered as it is."
    page = client_as(Role.EDITOR).get(reverse("training:job-detail", args=[project.slug, job.number]))
    assert not page.context["standing"].may_retry
    with pytest.raises(JobNotToRetry, match="would diverge again"):
        services.job_retry(job=job, by=SYSTEM)


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


SWEEP = {"trials": 2, "steps": 4, "objective": "eval_loss", "space": {"learning_rate": [1e-5, 1e-2]}}


def gone_on_with(job):
    """As it ends when whatever happened does not happen again."""
    job.settings["fake"] = {}
    job.save(update_fields=["settings"])
    services.job_retry(job=job, by=SYSTEM)
    working.train_next(worker="gpu@two")
    job.refresh_from_db()
    assert job.status == Status.COMPLETED, job.status_reason
    return job


def test_a_trial_in_which_somebody_cancelled_begins_anew_when_the_job_goes_on():
    job = started(sweep=SWEEP, fake={"pause": 3})
    work = threading.Thread(target=in_thread, args=("gpu@one",))
    work.start()
    wait_until(lambda: job.points.filter(trial=1, step=2).exists(), seconds=20, what="The first trial")
    services.job_stop(job=job, by=SYSTEM, keep=False)
    work.join(20)
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert not job.trials.exists()
    assert not job.points.exists()
    gone_on_with(job)
    assert set(job.trials.values_list("number", "state")) == {(n, "completed") for n in (0, 1, 2)}


def test_a_sweep_of_which_every_trial_failed_begins_anew_when_the_job_goes_on():
    job = trained(sweep=SWEEP, fake={"fail": 2, "kind": "disk"})
    assert job.status_reason == "None of the 2 trials came to a figure of eval_loss. It went wrong."
    assert set(job.trials.values_list("number", "state")) == {(1, "failed"), (2, "failed")}
    gone_on_with(job)
    assert set(job.trials.values_list("number", "state")) == {(n, "completed") for n in (0, 1, 2)}


def test_a_trial_is_no_longer_than_the_training_itself():
    job = trained(sweep=SWEEP | {"steps": 400})
    assert job.status == Status.COMPLETED, job.status_reason
    assert set(job.points.filter(trial=1).values_list("step", flat=True)) == {1, 2, 3, 4, 5, 6}


def test_a_training_that_its_patience_ended_says_nothing_of_the_workers_speed(monkeypatch):
    worker = make_worker("gpu@one")
    monkeypatch.setattr(finishing, "forecast_of", lambda job, worker: job_seconds(job) / 2)
    job = trained(fake={"early": 4})
    assert job.status == Status.COMPLETED, job.status_reason
    assert job.version.training_metrics["steps"] == 4
    worker.refresh_from_db()
    assert worker.forecasts == []


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


def test_who_cancels_after_the_last_step_gets_no_model(monkeypatch):
    def late(job, trained, keeper):
        services.job_stop(job=job, by=SYSTEM, keep=False)
        return finishing.job_register(job, trained, keeper)

    monkeypatch.setattr(working, "job_register", late)
    job = trained()
    assert (job.status, job.version) == (Status.CANCELLED, None)


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
