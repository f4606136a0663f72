"""Faults under real workers, at a size for every day; `make faults` does the same to the whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from apps.datasets.importers.mapping import Mapping
from apps.datasets.selectors import latest_version
from apps.evaluations.engine.sweeping import sweep_runs
from apps.evaluations.evaluator_services import evaluator_create
from apps.evaluations.models import EvalItem, EvalRun, ItemAttempt
from apps.evaluations.run_moves import eval_run_cancel, eval_run_resume
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.providers.services import ProviderSettings, provider_create
from llmops_web.stack.waiting import wait_until
from tests.benchmarks.bench_stack import Paced, paced_provider
from tests.benchmarks.faults_audit import Audit, audit_run
from tests.benchmarks.paced_provider import API_KEY, MODEL
from tests.benchmarks.questions import as_jsonl
from tests.factories.core import SYSTEM, make_project
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveWorkers

pytestmark = pytest.mark.slow
ROWS = 120
WHOLE = Audit(planned=ROWS, stored=ROWS)


@pytest.fixture
def provider() -> Iterator[Paced]:
    with paced_provider(latency_ms=20) as running:
        yield running


@pytest.fixture
def plan(transactional_db: None, provider: Paced) -> RunRequest:
    """Questions to the paced provider, whose answer to each is known."""
    project = make_project("Faults")
    fields = ProviderSettings(name="Paced", base_url=provider.base_url, max_concurrency=8, timeout_s=1)
    provider_create(project=project, by=SYSTEM, kind="openai", slug="paced", settings=fields, api_key=API_KEY)
    dataset = make_dataset(project)
    import_bytes(dataset, as_jsonl(ROWS), "rows.jsonl", Mapping(["question"], "answer", key="key"))
    version = latest_version(dataset)
    assert version is not None
    prompt = make_version(make_prompt(project), "{{ question }}", parameters={"model": f"paced/{MODEL}"})
    exact = evaluator_create(project=project, by=SYSTEM, name="Exact", kind="exact_match", config={})
    return RunRequest("faults", version, prompt, exact.versions.all())


def start(plan: RunRequest) -> EvalRun:
    return eval_run_create(project=plan.dataset_version.dataset.project, by=SYSTEM, request=plan)


def finished(run: EvalRun) -> EvalRun:
    def has_ended() -> bool:
        run.refresh_from_db()
        return run.is_terminal

    wait_until(has_ended, seconds=60, what="The run", every=0.1)
    return run


def after_calls(provider: Paced, number: int) -> None:
    wait_until(lambda: provider.calls() >= number, seconds=60, what=f"Call {number}", every=0.01)


def test_faulty_answers_are_asked_for_again_until_each_row_has_its_own(
    live_workers: LiveWorkers, provider: Paced, plan: RunRequest
) -> None:
    provider.control(
        latency_ms=20, fault="429,500,reset,hang,not-json,cut,half", share=0.2, retry_after_s=0.5
    )

    run = finished(start(plan))

    assert run.status == "completed"
    assert audit_run(live_workers.environment["DATABASE_URL"], str(run.pk)) == WHOLE
    faults = ItemAttempt.objects.filter(item__run=run)
    assert faults.count() == provider.calls() - ROWS
    kinds = {"rate_limited", "overloaded", "connection", "timeout", "bad_response"}
    assert set(faults.values_list("error_kind", flat=True)) == kinds


def test_a_run_cancelled_and_resumed_under_load_stores_each_row_once(
    live_workers: LiveWorkers, provider: Paced, plan: RunRequest
) -> None:
    runs = [start(plan), start(plan)]
    for calls in (ROWS // 4, ROWS // 2, ROWS):
        after_calls(provider, calls)
        eval_run_resume(run=eval_run_cancel(run=runs[0], by=SYSTEM), by=SYSTEM)

    assert [finished(run).status for run in runs] == ["completed", "completed"]
    for run in runs:
        assert audit_run(live_workers.environment["DATABASE_URL"], str(run.pk)) == WHOLE


def test_a_worker_and_all_messages_may_be_lost_together(
    live_workers: LiveWorkers, provider: Paced, plan: RunRequest
) -> None:
    run = start(plan)
    after_calls(provider, ROWS // 3)
    live_workers.kill("llm")
    with redis.from_url(settings.VALKEY_URL) as broker:
        broker.flushdb()
    assert EvalItem.objects.filter(run=run, status="pending").exists()
    past = timezone.now() - timedelta(seconds=1)  # as if the leases of the dead had run out
    EvalItem.objects.filter(run=run, lease_until__isnull=False).update(lease_until=past)
    EvalRun.objects.filter(pk=run.pk).update(driver_lease_until=past)
    live_workers.start("llm")
    sweep_runs()

    assert finished(run).status == "completed"
    assert audit_run(live_workers.environment["DATABASE_URL"], str(run.pk)) == WHOLE
