"""Storing answers and moving a run wait for each other, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection, transaction

from apps.core.models import Project
from apps.evaluations.engine.answering import ItemAnswers
from apps.evaluations.engine.batches import answer_batch
from apps.evaluations.engine.leases import items_claim, items_release, run_claim
from apps.evaluations.engine.work import Answer
from apps.evaluations.evaluator_services import evaluator_create
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.run_moves import eval_run_cancel
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.providers.protocol import CompletionRequest, CompletionResponse
from apps.providers.services import ProviderSettings, provider_create
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 20


@pytest.fixture
def items(project: Project) -> ItemAnswers:
    """A run that is driven, with all of its rows claimed."""
    provider_create(project=project, by=SYSTEM, kind="fake", settings=ProviderSettings(name="Fake"))
    prompt = make_version(make_prompt(project), "{{ question }}", parameters={"model": "fake/echo"})
    version = make_dataset_version(project, ROWS)
    exact = evaluator_create(project=project, by=SYSTEM, name="Exact", kind="exact_match")
    request = RunRequest("locks", version, prompt, exact.versions.all())
    run = eval_run_create(project=project, by=SYSTEM, request=request)
    claimed = run_claim(run.pk, run.driver_token)
    assert claimed is not None
    return ItemAnswers(claimed, uuid4())


def answered(items: ItemAnswers, most: int) -> list[Answer]:
    claimed = items_claim(items.run, status="pending", token=items.token, most=most)
    calls, _ = items.calls_of(claimed)
    return answer_batch(calls, lambda requests: [_echo(request) for request in requests])


def _echo(request: CompletionRequest) -> CompletionResponse:
    text = str(request.messages[-1].content)
    return CompletionResponse(text, (), "stop", 1, 1, None, duration_s=0.1, model="echo")


def meanwhile(work: Callable[[], object]) -> Future[object]:
    """Begin `work` on a connection of its own; returns once it waits for us."""

    def on_its_own() -> object:
        try:
            return work()
        finally:
            connection.close()

    begun = ThreadPoolExecutor(1).submit(on_its_own)
    wait_until(_somebody_waits, seconds=10, what="The other", alive=lambda: not begun.done())
    return begun


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid() = ANY(pg_blocking_pids(pid)) FROM pg_locks WHERE NOT granted")
        return (True,) in cursor.fetchall()


def test_cancelling_while_the_first_answers_are_stored_keeps_both(items: ItemAnswers) -> None:
    answers = answered(items, 8)
    with transaction.atomic():
        items.store(answers)
        cancelling = meanwhile(lambda: eval_run_cancel(run=items.run, by=SYSTEM))
    cancelling.result(timeout=30)
    states = list(items.run.items.values_list("status", flat=True))
    assert (states.count("completed"), states.count("cancelled")) == (8, ROWS - 8)


@pytest.mark.parametrize("other", ["cancel", "release"])
def test_rows_are_locked_in_one_order_by_everybody(items: ItemAnswers, other: str) -> None:
    answers = answered(items, ROWS)
    rows = EvalItem.objects.filter(run=items.run)
    first, *_, last = rows.order_by("pk").values_list("pk", flat=True)
    rows.filter(pk=first).update(latency_ms=1)  # where it lies now, it is found last
    work = {
        "cancel": lambda: eval_run_cancel(run=items.run, by=SYSTEM),
        "release": lambda: items_release(items.token),
    }[other]
    with transaction.atomic():
        rows.select_for_update().get(pk=first)
        waiting = meanwhile(work)
        rows.select_for_update().get(pk=last)  # not held by who waits for the first
    waiting.result(timeout=30)
    items.store(answers)
    assert not rows.exclude(status__in=("cancelled", "pending")).exists(), "their claims are gone"
    assert EvalRun.objects.get(pk=items.run.pk).status == ("cancelled" if other == "cancel" else "running")
