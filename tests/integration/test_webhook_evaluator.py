"""Outputs scored by somebody's own server: signed, retried, and never sent where it must not go."""

from __future__ import annotations

import json

import pytest

from apps.core.models import Project
from apps.core.webhook_delivery import signature
from apps.evaluations.engine import scoring_slices
from apps.evaluations.engine.stages import Stage
from apps.evaluations.evaluator_errors import InvalidConfig
from apps.evaluations.evaluator_services import evaluator_change
from apps.evaluations.evaluator_trial import evaluator_try
from apps.evaluations.evaluators import ScoringInput
from apps.evaluations.models import EvalRun, EvaluatorSecret, EvaluatorVersion, ItemAttempt, ItemScore
from tests.integration.judging import BY, drive, make_evaluator, make_fake, start_run
from tests.loopback_webhook import LoopbackWebhook

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a secret of some length"


@pytest.fixture
def webhook(project: Project, loopback_webhook: LoopbackWebhook) -> EvaluatorVersion:
    make_fake(project)
    return make_evaluator(project, "webhook", url=loopback_webhook.url, secret=SECRET, timeout_s=2)


def test_each_output_is_posted_signed_and_its_score_kept(
    project: Project, webhook: EvaluatorVersion, loopback_webhook: LoopbackWebhook
) -> None:
    def score(value: dict[str, str]) -> tuple[int, str]:
        return 200, json.dumps({"score": len(value["output"]), "label": "ok", "reason": value["reference"]})

    loopback_webhook.answer = score
    run = drive(start_run(project, webhook, size=3))

    assert run.status == "completed"
    scores = ItemScore.objects.filter(item__run=run).order_by("item__position")
    assert [(one.value, one.label, one.detail) for one in scores] == [
        (float(len(f"What is {n} + 1?")), "ok", str(n + 1)) for n in range(3)
    ]
    posted = loopback_webhook.posted[0]
    assert set(posted.value) == {"inputs", "output", "reference", "metadata"}
    at = posted.headers["webhook-signature"].partition(",")[0].removeprefix("t=")
    assert posted.headers["webhook-signature"] == signature(SECRET, int(at), posted.body)


def test_the_secret_is_kept_encrypted_and_apart_from_the_settings(
    project: Project, webhook: EvaluatorVersion
) -> None:
    assert "secret" not in webhook.config
    stored = EvaluatorSecret.objects.get(evaluator=webhook.evaluator)
    assert SECRET not in stored.token

    evaluator_change(evaluator=webhook.evaluator, by=BY, config={**webhook.config, "secret": ""})
    assert EvaluatorSecret.objects.get(evaluator=webhook.evaluator).token == stored.token
    evaluator_change(evaluator=webhook.evaluator, by=BY, config={**webhook.config, "secret": "x" * 20})
    assert EvaluatorSecret.objects.get(evaluator=webhook.evaluator).token != stored.token
    assert webhook.evaluator.versions.count() == 1


@pytest.mark.parametrize(
    ("url", "secret", "field"),
    [
        ("http://169.254.169.254/score", SECRET, "config.url"),
        ("file:///etc/passwd", SECRET, "config.url"),
        ("https://user:word@example.com/", SECRET, "config.url"),
        ("https://example.com/", "", "config.secret"),
        ("https://example.com/", "short", "config.secret"),
    ],
)
def test_an_address_that_must_not_be_called_and_a_weak_secret_are_refused(
    project: Project, url: str, secret: str, field: str
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        make_evaluator(project, "webhook", url=url, secret=secret)
    assert list(refused.value.fields) == [field]


def _scored_once(run: EvalRun) -> str:
    scoring_slices.score_run(run.pk, run.driver_token, Stage.CALLS)
    run.refresh_from_db()
    return run.items.get().status


def test_a_failure_is_tried_again_and_a_wait_is_kept(
    project: Project, webhook: EvaluatorVersion, loopback_webhook: LoopbackWebhook
) -> None:
    run = drive(start_run(project, webhook, size=1), until=lambda run: run.items.get().status == "answered")
    for status in (500, 429):
        loopback_webhook.answer = lambda value, status=status: (status, "not now")
        assert _scored_once(run) == "answered"
        run.items.update(next_attempt_at=None)
    tries = ItemAttempt.objects.filter(item__run=run, purpose="score").order_by("number")
    assert list(tries.values_list("error_kind", "status_code", "retry_after_s")) == [
        ("overloaded", 500, None),
        ("rate_limited", 429, 30.0),
    ]
    loopback_webhook.answer = lambda value: (200, '{"score": true}')
    assert _scored_once(run) == "completed"
    assert ItemScore.objects.get(item__run=run).value == 1


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, "no such thing", "The webhook answered with 400: it refused the call. It said: no such thing"),
        (200, "<p>Hello</p>", "The webhook did not answer with JSON that has a score or label."),
        (200, '{"score": "high"}', "The webhook's score is not a number"),
        (200, '{"score": null, "reason": "too short"}', "too short"),
    ],
)
def test_what_gives_no_score_says_why(
    project: Project,
    webhook: EvaluatorVersion,
    loopback_webhook: LoopbackWebhook,
    status: int,
    body: str,
    reason: str,
) -> None:
    loopback_webhook.answer = lambda value: (status, body)
    run = drive(start_run(project, webhook, size=1))

    score = ItemScore.objects.get(item__run=run)
    assert run.status == "completed"
    assert score.value is None
    assert reason in score.detail


def test_a_server_that_refuses_the_signature_pauses_the_run(
    project: Project, webhook: EvaluatorVersion, loopback_webhook: LoopbackWebhook
) -> None:
    loopback_webhook.answer = lambda value: (401, "who are you?")
    run = drive(start_run(project, webhook, size=2))

    assert run.status == "paused"
    assert "does it check with the same secret?" in run.status_reason


def test_settings_are_tried_before_they_are_saved(
    project: Project, loopback_webhook: LoopbackWebhook
) -> None:
    loopback_webhook.answer = lambda value: (200, json.dumps({"score": 0.5, "reason": value["output"]}))
    config = {"url": loopback_webhook.url, "secret": SECRET}
    trial = evaluator_try(project=project, kind="webhook", config=config, item=ScoringInput({}, "an output"))

    assert trial.values == [("Score", 0.5)]
    assert trial.detail == "an output"
    assert "webhook-signature" in loopback_webhook.posted[0].headers
