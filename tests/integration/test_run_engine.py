"""Runs are driven slice by slice to their end, on a real database, whatever goes wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.utils import timezone

from apps.core.errors import InvalidInput, ProductError
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import examples_of
from apps.evaluations.engine import driving
from apps.evaluations.engine.answering import ItemAnswers
from apps.evaluations.engine.batches import answer_batch
from apps.evaluations.engine.calls import CallPool
from apps.evaluations.engine.leases import items_claim, run_claim
from apps.evaluations.engine.sweeping import sweep_runs
from apps.evaluations.engine.work import MOST_ATTEMPTS
from apps.evaluations.errors import NothingToRun, RunStateConflict, VariablesMissing
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion, ItemAttempt, ItemScore
from apps.evaluations.run_moves import eval_run_cancel, eval_run_pause, eval_run_resume, eval_run_retry_failed
from apps.evaluations.run_plan import ExampleChoice
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.prompts.models import PromptVersion
from apps.providers.models import Model, Provider
from apps.providers.services import ProviderSettings, provider_connection, provider_create
from apps.traces.models import Span
from tests.factories.driven_runs import BY, drive, make_dataset, make_prompt, make_run, priced

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_answers_and_scores_each_example_once(
    words: DatasetVersion, prompt: PromptVersion, exact: EvaluatorVersion
) -> None:
    run = drive(make_run(words, prompt, exact))

    assert run.status == "completed"
    items = list(run.items.select_related("example"))
    assert len(items) == 40
    assert all(item.output == item.example.inputs["word"].upper() for item in items)
    assert ItemScore.objects.filter(item__run=run, value=1).count() == 40
    metric = run.metrics.get()
    assert (metric.name, metric.n, metric.mean, metric.missing) == ("exact", 40, 1.0, 0)
    assert Span.objects.filter(trace_id=run.plan["trace"], prompt_version=prompt).count() == 40


def test_repetitions_are_items_of_their_own(words: DatasetVersion, prompt: PromptVersion) -> None:
    run = drive(make_run(words, prompt, repetitions=3, choice=ExampleChoice(limit=5)))

    assert run.total == 15
    assert sorted(run.items.values_list("position", "repetition")) == [
        (position, repetition) for position in range(1, 6) for repetition in (1, 2, 3)
    ]


def test_a_filter_and_a_limit_choose_the_examples(words: DatasetVersion, prompt: PromptVersion) -> None:
    value = examples_of(words).order_by("position")[0].metadata["odd"]
    run = make_run(words, prompt, choice=ExampleChoice(filter={"odd": value}, limit=7))

    assert run.total == 7
    assert {item.example.metadata["odd"] for item in run.items.select_related("example")} == {value}


def test_nothing_to_run_is_said_at_once(words: DatasetVersion, prompt: PromptVersion) -> None:
    with pytest.raises(NothingToRun, match="split 'dev'"):
        make_run(words, prompt, choice=ExampleChoice(split="dev"))


def test_a_variable_that_the_dataset_lacks_is_named(
    project: Project, fake: Provider, words: DatasetVersion
) -> None:
    prompt = make_prompt(project, "fake/echo", "{{ word }} {{ tone }}")

    with pytest.raises(VariablesMissing, match="tone") as refused:
        make_run(words, prompt)
    assert refused.value.extra["missing"] == ["tone"]
    assert not EvalRun.objects.exists()


def test_an_unknown_model_is_refused_before_anything_is_written(
    project: Project, words: DatasetVersion, prompt: PromptVersion
) -> None:
    with pytest.raises(ProductError, match="nothing-like-it"):
        make_run(words, prompt, model="fake/nothing-like-it")
    assert not EvalRun.objects.exists()


def test_a_refused_key_ends_the_run_with_its_reason(
    project: Project, words: DatasetVersion, prompt: PromptVersion, exact: EvaluatorVersion
) -> None:
    run = drive(make_run(words, make_prompt(project, "fake/error-401"), exact))

    assert run.status == "failed"
    assert "key" in run.status_reason
    assert set(run.items.values_list("status", "error_kind")) == {("failed", "authentication")}
    metric = run.metrics.get()
    assert (metric.n, metric.mean, metric.missing) == (0, None, 40), "what failed is missing, not zero"


def test_an_account_without_quota_pauses_the_run(
    project: Project, words: DatasetVersion, prompt: PromptVersion
) -> None:
    run = drive(make_run(words, make_prompt(project, "fake/error-quota")))

    assert run.status == "paused"
    assert "quota" in run.status_reason
    # The first calls got the answer; the others were never made, and wait.
    assert run.items.filter(status="pending").exists()


def test_a_passing_error_is_tried_again_and_then_given_up(
    project: Project, words: DatasetVersion, prompt: PromptVersion
) -> None:
    run = drive(make_run(words, make_prompt(project, "fake/error-500"), choice=ExampleChoice(limit=3)))

    assert run.status == "failed"
    assert set(run.items.values_list("attempts", flat=True)) == {MOST_ATTEMPTS}
    assert (
        Span.objects.filter(trace_id=run.plan["trace"], error_kind="overloaded").count() == 3 * MOST_ATTEMPTS
    )
    tries = ItemAttempt.objects.filter(item__run=run, error_kind="overloaded", status_code=500)
    assert tries.count() == 3 * MOST_ATTEMPTS


def test_a_result_of_a_lost_claim_is_dropped(words: DatasetVersion, prompt: PromptVersion) -> None:
    """A worker that was thought dead comes back after another has answered its item."""
    run = make_run(words, prompt, choice=ExampleChoice(limit=1))
    slow = ItemAnswers(claimed(run), uuid4())
    (item,) = items_claim(slow.run, status="pending", token=slow.token, most=1)
    EvalItem.objects.filter(pk=item.id).update(lease_until=timezone.now())

    drive(run)

    def too_late(requests: object) -> list[object]:
        raise TimeoutError("never stored")

    calls, _ = slow.calls_of([item])
    slow.store(answer_batch(calls, too_late))

    assert run.items.get().output == run.items.get().example.inputs["word"].upper()
    assert Span.objects.filter(trace_id=run.plan["trace"]).count() == 1


def prompt_provider(run: EvalRun) -> Provider:
    assert run.model is not None
    return run.model.provider


def claimed(run: EvalRun) -> EvalRun:
    found = run_claim(run.pk, run.driver_token)
    assert found is not None
    return found


def test_a_message_delivered_twice_drives_once(words: DatasetVersion, prompt: PromptVersion) -> None:
    run = make_run(words, prompt)

    assert run_claim(run.pk, run.driver_token) is not None
    assert run_claim(run.pk, run.driver_token) is None


def test_cancel_keeps_what_was_answered_and_resume_does_the_rest(
    words: DatasetVersion, prompt: PromptVersion, exact: EvaluatorVersion
) -> None:
    run = make_run(words, prompt, exact)
    items = ItemAnswers(claimed(run), uuid4())
    calls, _ = items.calls_of(items_claim(items.run, status="pending", token=items.token, most=10))
    pool = CallPool(provider_connection(prompt_provider(run)))
    pool.feed(calls)
    pool.allow(at_once=10)
    while not pool.idle:
        items.store(pool.collect(1))

    run = eval_run_cancel(run=run, by=BY)
    assert run.status == "cancelled"
    assert run.items.filter(status="completed").count() == 10
    assert run.items.filter(status="cancelled").count() == 30

    run = drive(eval_run_resume(run=run, by=BY))
    assert run.status == "completed"
    assert run.items.filter(status="completed").count() == 40
    assert ItemScore.objects.filter(item__run=run).count() == 40


def test_pause_and_resume(words: DatasetVersion, prompt: PromptVersion) -> None:
    run = eval_run_pause(run=make_run(words, prompt), by=BY)
    driving.drive_run(run.pk, run.driver_token)
    assert not run.items.exclude(status="pending").exists(), "a paused run claims nothing"

    assert drive(eval_run_resume(run=run, by=BY)).status == "completed"
    with pytest.raises(RunStateConflict, match="completed"):
        eval_run_pause(run=run, by=BY)


def test_retry_answers_only_what_failed(
    project: Project, words: DatasetVersion, prompt: PromptVersion, exact: EvaluatorVersion
) -> None:
    run = drive(make_run(words, prompt, exact))
    broken = run.items.first()
    assert broken is not None
    EvalItem.objects.filter(pk=broken.pk).update(status="failed", error="it broke", output="")
    before = Span.objects.filter(trace_id=run.plan["trace"]).count()

    run = drive(eval_run_retry_failed(run=run, by=BY))

    assert run.status == "completed"
    assert run.items.filter(status="completed").count() == 40
    assert Span.objects.filter(trace_id=run.plan["trace"]).count() == before + 1
    assert ItemScore.objects.filter(item__run=run).count() == 40


def test_the_sweep_finds_a_run_whose_worker_died(
    words: DatasetVersion, prompt: PromptVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *args: sent.append(name))
    run = make_run(words, prompt)
    sent.clear()
    driver = claimed(run)
    items_claim(driver, status="pending", token=driver.pk, most=5)
    sweep_runs()
    assert sent == [], "its lease still holds"

    past = timezone.now() - timedelta(seconds=60)
    EvalRun.objects.filter(pk=run.pk).update(driver_lease_until=past)
    EvalItem.objects.filter(lease_token=driver.pk).update(lease_until=past)
    sweep_runs()
    assert sent == ["worker.evaluations.drive_run"]
    assert drive(run).status == "completed"


def test_a_run_pauses_before_it_passes_its_budget(
    project: Project, fake: Provider, words: DatasetVersion, prompt: PromptVersion
) -> None:
    """A call costs two dollars here (one token in, one out): ten fit into 21 dollars."""
    priced(fake, 1_000_000)
    run = drive(make_run(words, prompt, budget_usd=Decimal(21)))

    assert run.status == "paused"
    assert "budget of $21" in run.status_reason
    assert run.items.filter(status="completed").count() == 10
    assert run.items.aggregate(spent=Sum("cost_usd"))["spent"] == Decimal(20)

    run = drive(eval_run_resume(run=run, by=BY, budget_usd=Decimal(80)))
    assert run.status == "completed"


def test_a_budget_needs_a_known_price(project: Project, words: DatasetVersion) -> None:
    settings = ProviderSettings(name="Own server", base_url="http://127.0.0.1:9/v1")
    provider = provider_create(project=project, by=BY, kind="openai", settings=settings)
    Model.objects.create(provider=provider, name="unheard-of")

    with pytest.raises(InvalidInput, match="price of own-server/unheard-of is not known"):
        make_run(words, make_prompt(project, "own-server/unheard-of"), budget_usd=Decimal(1))


def test_outputs_may_come_from_a_column_of_the_dataset(project: Project, exact: EvaluatorVersion) -> None:
    """Scored like answers; an example without a value in the column has failed, and is no zero."""
    words = make_dataset(project, ["one,ONE,ONE", "two,TWO,to", "three,THREE,"])
    request = RunRequest(
        name="theirs",
        dataset_version=words,
        prompt_version=None,
        evaluators=[exact],
        recorded=True,
        output_column="odd",
    )

    run = drive(eval_run_create(project=project, by=BY, request=request))

    outcomes = list(run.items.order_by("position").values_list("status", "output", "scores__value"))
    assert outcomes[:2] == [("completed", "ONE", 1.0), ("completed", "to", 0.0)]
    assert run.status == "completed"
    with pytest.raises(InvalidInput, match="no column answer"):
        eval_run_create(project=project, by=BY, request=replace(request, output_column="answer"))
