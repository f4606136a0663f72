"""Judges asked by real workers: every item scored once, whoever dies meanwhile."""

from __future__ import annotations

import json

import pytest

from apps.core.models import Project
from apps.evaluations.engine.sweeping import sweep_runs
from apps.evaluations.models import EvalRun, ItemScore
from apps.providers.services import local_provider_ensure
from apps.traces.models import Span
from llmops_web.stack.waiting import wait_until
from tests.integration.judging import BY, make_evaluator, make_fake, make_loop, shown, start_run, verdict
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.loopback_webhook import LoopbackWebhook

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
ITEMS = 60


def ended(run: EvalRun) -> bool:
    sweep_runs()  # as beat has it done
    run.refresh_from_db()
    return run.finalized_at is not None


def test_a_killed_worker_loses_and_doubles_no_score(
    live_workers, project: Project, loopback_provider: LoopbackProvider, loopback_webhook: LoopbackWebhook
) -> None:
    make_fake(project)
    make_loop(project, loopback_provider)
    loopback_provider.behaviour = Behaviour(
        latency_s=0.2, reply=lambda body: verdict(score=1 + int(shown(body, "output").split()[2]) % 5)
    )
    loopback_webhook.answer = lambda value: (200, json.dumps({"score": len(value["output"])}))
    judge = make_evaluator(project, "rubric_judge", model="loop/loop-small")
    webhook = make_evaluator(project, "webhook", url=loopback_webhook.url, secret="x" * 20)
    run = start_run(project, judge, webhook, size=ITEMS)
    scores = ItemScore.objects.filter(item__run=run)
    wait_until(lambda: scores.count() > 10, seconds=60, what="The first scores")
    live_workers.kill("llm")
    live_workers.start("llm")
    wait_until(lambda: ended(run), seconds=120, what="The run")

    assert run.status == "completed"
    assert scores.count() == 2 * ITEMS
    assert {
        score.item.position: score.value
        for score in scores.filter(metric="rubric_judge").select_related("item")
    } == {number: 1.0 + (number - 1) % 5 for number in range(1, ITEMS + 1)}
    judged = Span.objects.filter(trace_id=run.plan["trace"], kind="evaluator", model_name="loop/loop-small")
    assert judged.filter(error_kind="").count() == ITEMS, "each item was answered for once"


def test_the_embedded_model_judges_on_its_own_queue(live_workers, project: Project) -> None:
    make_fake(project)
    local_provider_ensure(project=project, by=BY)
    judge = make_evaluator(project, "rubric_judge", model="local/smollm2-135m-instruct")
    run = start_run(project, judge, size=2)
    wait_until(lambda: ended(run), seconds=180, what="The run")

    assert run.status == "completed"
    assert ItemScore.objects.filter(item__run=run).count() == 2
    spans = Span.objects.filter(trace_id=run.plan["trace"], kind="evaluator")
    assert spans.count() == 2
    assert all(span.output and span.cost_usd == 0 for span in spans)
