"""Fine-tuning at a provider: against a server on loopback that speaks the API, and loses answers at will."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob as SdkJob
from openai.types.fine_tuning import FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from apps.core.models import AuditEvent, Project
from apps.evaluations.models import EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.providers.models import Model, Provider
from apps.providers.selectors import model_resolve
from apps.providers.services import ProviderSettings, provider_create
from apps.training.hosted.holding import claim, hosted_jobs_sweep
from apps.training.hosted.moving import GIVE_UP_AFTER, hosted_job_move
from apps.training.models import FineTuningJob, LogLine, MetricPoint
from apps.training.planning.checking import check_run
from apps.training.planning.services import job_ask_start, job_create
from apps.training.registry.keeping import version_archive, version_restore
from apps.training.running.services import job_retry, job_start, job_stop
from tests.factories.core import SYSTEM
from tests.factories.training import make_job, make_training_version
from tests.loopback_fine_tuning import STEPS, TOKENS, LoopbackFineTuning
from tests.loopback_provider import API_KEY, Behaviour

pytestmark = pytest.mark.django_db(transaction=True)
MOST_MOVES = 10


@pytest.fixture
def endpoint(project: Project, loopback_fine_tuning: LoopbackFineTuning) -> Provider:
    settings = ProviderSettings(name="Loop", base_url=loopback_fine_tuning.base_url, timeout_s=5)
    return provider_create(project=project, by=SYSTEM, kind="openai", settings=settings, api_key=API_KEY)


def started(endpoint: Provider, method: str = "sft", **fields: Any) -> FineTuningJob:
    base = {"kind": "hosted", "provider": endpoint.slug, "model": "loop-small"}
    settings = {"epochs": 2.0, "hosted_batch_size": 4, "learning_rate_multiplier": 0.0, "beta": 0.2}
    job = make_job(
        endpoint.project,
        method=method,
        **{"technique": "hosted", "base": base, "provider": endpoint, "settings": settings, **fields},
    )
    return job_start(job=job, by=SYSTEM)


def moved(job: FineTuningJob, times: int = MOST_MOVES) -> FineTuningJob:
    """The job after so many looks, each as the task makes it, or when it is over."""
    for _ in range(times):
        FineTuningJob.objects.filter(pk=job.pk).update(offered_at=timezone.now())
        hosted_job_move(job_id=job.pk, worker="here")
        job.refresh_from_db()
        if job.is_over:
            break
    return job


def rows_sent(loop: LoopbackFineTuning, place: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in loop.files[place].content.decode().splitlines()]


def test_supervised_from_rows_to_a_measured_version(
    endpoint: Provider,
    loopback_fine_tuning: LoopbackFineTuning,
    prompt: PromptVersion,
    words: Any,
    exact: EvaluatorVersion,
) -> None:
    plan = {
        "dataset_version": str(words.pk),
        "prompt_version": str(prompt.pk),
        "evaluators": ["exact"],
        "limit": 5,
        "split": "",
    }
    job = job_create(
        project=endpoint.project,
        by=SYSTEM,
        name="Support tone",
        base={"kind": "hosted", "provider": endpoint.slug, "model": "loop-small"},
        dataset_version=make_training_version(endpoint.project),
        settings={"epochs": 2.0, "hosted_batch_size": 4},
        evaluation=plan,
    )
    job_ask_start(job=job, by=SYSTEM)
    check_run(job_id=job.pk)  # starts what it finds nothing wrong with
    job = moved(job, times=1)
    assert (job.status, job.progress["stage"]) == ("running", "checking")
    job = moved(job)
    assert (job.status, job.status_reason) == ("completed", "")

    [training, validation], [asked] = loopback_fine_tuning.files, loopback_fine_tuning.jobs
    assert (len(rows_sent(loopback_fine_tuning)), len(rows_sent(loopback_fine_tuning, 1))) == (12, 4)
    assert [message["role"] for message in rows_sent(loopback_fine_tuning)[0]["messages"]] == [
        "user",
        "assistant",
    ]
    assert asked.asked["training_file"] == training.id
    assert asked.asked["validation_file"] == validation.id
    assert asked.asked["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
    }
    assert asked.asked["metadata"]["llmops_job"] == str(job.pk)
    assert (asked.asked["suffix"], asked.asked["seed"]) == ("support-tone", 42)

    points = MetricPoint.objects.filter(job=job).order_by("step")
    assert [point.step for point in points] == list(range(1, STEPS + 1))
    assert points[1].values == {"loss": 0.5, "mean_token_accuracy": 0.75}
    told = list(LogLine.objects.filter(job=job).order_by("id").values_list("text", flat=True))
    assert told[0] == f"Created fine-tuning job: {asked.id}"
    assert told[-1] == "The job is succeeded."
    assert len(told) == len(set(told))  # each event once, however often it was looked at

    version = job.version
    assert version is not None
    assert (version.full_name, version.kind, version.source) == ("support-tone-v1", "hosted", "hosted")
    assert version.location == f"ft:loop-small:loop:support-tone:{asked.id[-4:]}"
    assert version.lineage["dataset"]["hash"] == job.data_hash != ""
    assert version.training_metrics["loss"] == pytest.approx(1 / STEPS)
    assert job.hosted["trained_tokens"] == TOKENS
    assert job.cost_usd is None  # no price is known for this endpoint, and unknown is not zero
    name = f"loop/{version.location}"
    assert model_resolve(project=endpoint.project, name=name) == version.state.model
    base = version.base
    assert base is not None
    assert (base.kind, base.location, base.state.model.name) == ("base", "loop-small", "loop-small")
    [measurement] = version.measurements.all()
    assert measurement.status == "running", measurement.status_reason
    assert (measurement.run.model_name, measurement.base_run.model_name) == (name, "loop/loop-small")
    assert API_KEY not in str(list(AuditEvent.objects.values())) + str(job.hosted) + str(told)


def test_answers_that_were_lost_make_nothing_twice(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    other = started(endpoint, dataset_version=make_training_version(endpoint.project, train=11))
    moved(other, times=1)  # another job and its files lie before ours
    job = started(endpoint)
    for lost in ("POST /files", "POST /fine_tuning/jobs"):
        loopback_fine_tuning.lose_answer_to = lost
        job = moved(job, times=1)
        assert loopback_fine_tuning.lose_answer_to == ""
        assert job.status == "running"
        assert "Tried again" in job.status_reason
        assert not job.hosted.get("job")
    job = moved(job)
    assert (job.status, job.status_reason) == ("completed", "")
    assert len(loopback_fine_tuning.files) == 4
    assert len(loopback_fine_tuning.jobs) == 2


def test_a_job_is_in_the_hands_of_one_worker(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    job = started(endpoint)
    assert claim(job.pk, "first") is not None
    assert claim(job.pk, "second") is None
    hosted_job_move(job_id=job.pk, worker="second")
    assert loopback_fine_tuning.calls == []
    FineTuningJob.objects.filter(pk=job.pk).update(lease_until=job.created_at, offered_at=job.created_at)
    hosted_jobs_sweep()  # the first was killed: whoever gets the message goes on
    job = moved(job)
    assert job.status == "completed"
    assert job.attempt == 1


def test_a_message_that_was_sent_twice_is_followed_by_one(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *_: sent.append(name))
    job = started(endpoint)
    sent.clear()
    hosted_job_move(job_id=job.pk, worker="here")
    calls = len(loopback_fine_tuning.calls)
    hosted_job_move(job_id=job.pk, worker="here")  # the other one of the two
    assert len(sent) == 1
    assert len(loopback_fine_tuning.calls) == calls


def test_preferences_are_sent_as_pairs(endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning) -> None:
    job = moved(started(endpoint, "dpo"))
    assert (job.status, job.status_reason) == ("completed", "")
    [row, *_] = rows_sent(loopback_fine_tuning)
    assert row["input"]["messages"][0]["role"] == "user"
    assert row["preferred_output"] != row["non_preferred_output"]
    method = loopback_fine_tuning.jobs[0].asked["method"]
    assert method["dpo"]["hyperparameters"] == {"n_epochs": 2, "batch_size": 4, "beta": 0.2}


def test_what_the_provider_refuses_is_said_and_a_new_try_uses_the_files_again(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    loopback_fine_tuning.fails_with = {"code": "server_error", "message": "A machine burnt.", "param": None}
    job = moved(started(endpoint))
    assert job.status == "failed", job.status_reason
    assert job.status_reason == "The provider could not train the model. It said: A machine burnt."
    assert job.failure["kind"] == "provider"
    assert job.failure["advice"]
    loopback_fine_tuning.fails_with = None
    job = moved(job_retry(job=job, by=SYSTEM))
    assert job.status == "completed"
    assert (len(loopback_fine_tuning.files), len(loopback_fine_tuning.jobs)) == (2, 2)


def test_stopping_keeps_what_there_is_and_cancelling_keeps_nothing(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    early = moved(job_stop(job=moved(started(endpoint), times=1), by=SYSTEM, keep=True))
    assert early.status == "cancelled"
    assert "Stopped before" in early.status_reason

    kept = moved(started(endpoint), times=2)
    loopback_fine_tuning.held = True  # in the middle of its training
    kept = moved(kept, times=1)
    assert MetricPoint.objects.filter(job=kept).count() == STEPS
    assert kept.progress["step"] == STEPS
    assert kept.progress["seconds_left"] > 0
    kept = moved(job_stop(job=kept, by=SYSTEM, keep=True), times=1)
    assert (kept.status, kept.status_reason) == ("stopped", "")
    assert kept.version is not None
    assert kept.version.location.endswith(f"ckpt-step-{STEPS}")

    gone = moved(job_stop(job=moved(started(endpoint), times=2), by=SYSTEM, keep=False))
    assert (gone.status, gone.version) == ("cancelled", None)
    assert [job.status for job in loopback_fine_tuning.jobs] == ["cancelled"] * 3


def test_trouble_at_the_provider(endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning) -> None:
    loopback_fine_tuning.behaviour = Behaviour(mode="503")
    job = moved(started(endpoint), times=2)
    assert (job.status, job.hosted["troubles"]) == ("running", 2)
    assert "(503)" in job.status_reason
    loopback_fine_tuning.behaviour = Behaviour()
    job = moved(job, times=2)
    assert (job.status_reason, "troubles" in job.hosted) == ("", False)

    loopback_fine_tuning.behaviour = Behaviour(mode="503")
    long_ago = (timezone.now() - GIVE_UP_AFTER - timedelta(hours=1)).isoformat()
    given_up = started(endpoint)
    FineTuningJob.objects.filter(pk=given_up.pk).update(hosted={"trouble_since": long_ago, "troubles": 9})
    FineTuningJob.objects.filter(pk=given_up.pk).update(status="running")
    given_up = moved(given_up, times=1)
    assert given_up.status == "failed"
    given_up = moved(job_retry(job=given_up, by=SYSTEM), times=1)
    assert (given_up.status, given_up.hosted["troubles"]) == ("running", 1), "the clock begins anew"

    loopback_fine_tuning.behaviour = Behaviour(mode="404")  # a server without this API
    none = moved(started(endpoint))
    assert none.status == "failed"
    assert "fine-tuning API" in none.failure["advice"][0]
    loopback_fine_tuning.behaviour = Behaviour(mode="garbage")
    assert "fine-tuning API" in moved(started(endpoint)).status_reason
    loopback_fine_tuning.behaviour = Behaviour()
    assert "No provider trains by" in moved(started(endpoint, "kto")).status_reason
    short = make_training_version(endpoint.project, train=9)
    assert "at least 10 rows" in moved(started(endpoint, dataset_version=short)).status_reason


def test_the_loopback_server_answers_in_the_sdks_own_types(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    moved(started(endpoint))
    [job] = loopback_fine_tuning.jobs
    answers = {
        FileObject: loopback_fine_tuning.files[0].described(),
        SdkJob: job.described(),
        FineTuningJobEvent: job.events[-2],
        FineTuningJobCheckpoint: job.checkpoints()[0],
    }
    for kind, answer in answers.items():
        kind.model_validate(answer, strict=True)


def test_what_nobody_expected_ends_the_job_and_is_not_tried_for_ever(
    endpoint: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: Any, **__: Any) -> None:
        raise OverflowError("int too large")

    monkeypatch.setattr("apps.training.hosted.moving.events_record", odd)
    job = moved(started(endpoint))
    assert (job.status, job.lease_until) == ("failed", None)
    assert "OverflowError" in job.status_reason


def test_an_archived_version_comes_back_as_the_model_of_its_own_provider(
    endpoint: Provider, loopback_fine_tuning: LoopbackFineTuning
) -> None:
    job = moved(started(endpoint))
    assert job.version is not None
    mine = job.version.state.model
    other = provider_create(
        project=endpoint.project, by=SYSTEM, kind="openai", settings=ProviderSettings(name="Other"), slug="a"
    )
    Model.objects.create(provider=other, name=job.version.location)
    archived = version_archive(version=job.version, by=SYSTEM)
    assert archived.served_as is None
    assert version_restore(version=job.version, by=SYSTEM).served_as == mine
