"""Budgets of runs and of a project's month are kept, also by several runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.budget_services import project_budget_set
from apps.evaluations.engine import driving
from apps.evaluations.engine.budget import MOST_HELD, calls_left, keeps_a_budget, spent_words
from apps.evaluations.models import BudgetHold, EvalItem, EvalRun, RunSpend
from apps.evaluations.run_moves import eval_run_cancel, eval_run_resume, eval_run_retry_failed
from apps.evaluations.spending import budgets_of, month_runs, month_spending
from apps.prompts.models import PromptVersion
from apps.providers.models import Model, Provider
from apps.providers.protocol import CompletionRequest, CompletionResponse
from apps.providers.services import ProviderSettings, provider_create
from tests.factories.driven_runs import BY, drive, make_prompt, make_run, priced

pytestmark = pytest.mark.django_db(transaction=True)


def answered(run: EvalRun, *costs: str | None, judge: str | None = None, tokens: int = 10) -> None:
    """The run's next items are answered at these costs."""
    items = list(run.items.filter(status="pending").order_by("position")[: len(costs)])
    for item, cost in zip(items, costs, strict=True):
        run.items.filter(pk=item.pk).update(
            status="completed",
            attempts=item.attempts + 1,
            cost_usd=cost,
            judge_cost_usd=judge,
            input_tokens=tokens - 1,
            output_tokens=1,
            answered_at=timezone.now(),
        )


@pytest.fixture
def run(fake: Provider, words: DatasetVersion, prompt: PromptVersion) -> EvalRun:
    priced(fake, 1_000_000)
    run = make_run(words, prompt)
    EvalRun.objects.filter(pk=run.pk).update(status="running")
    run.refresh_from_db()
    return run


@pytest.fixture
def another(run: EvalRun, words: DatasetVersion, prompt: PromptVersion) -> EvalRun:
    other = make_run(words, prompt)
    EvalRun.objects.filter(pk=other.pk).update(status="running")
    return other


# -- what was spent is counted by the database


def test_spending_counts_calls_and_judges_and_never_shrinks(run: EvalRun) -> None:
    answered(run, "0.5", "0.25", judge="0.125")
    spend = RunSpend.objects.get(run=run)
    assert (spend.calls, spend.tokens, spend.answers_usd, spend.judges_usd) == (
        2,
        20,
        Decimal("0.75"),
        Decimal("0.25"),
    )
    assert (spend.dearest_answer_usd, spend.most_tokens) == (Decimal("0.5"), 10)
    run.items.filter(status="completed").update(status="cancelled")
    eval_run_cancel(run=run, by=BY)
    eval_run_resume(run=run, by=BY)
    answered(run, "0.5", "0.25", judge="0.125")
    assert RunSpend.objects.get(run=run).answers_usd == Decimal("1.5")


def test_cached_answers_and_outputs_made_elsewhere_cost_nothing(run: EvalRun) -> None:
    run.items.update(status="completed", attempts=1, cost_usd=1, cached=True)
    assert not RunSpend.objects.filter(run=run).exists()


def test_an_unknown_price_is_counted_as_such(run: EvalRun) -> None:
    answered(run, None, "0.5")
    spend = RunSpend.objects.get(run=run)
    assert (spend.unknown, spend.answers_usd) == (1, Decimal("0.5"))


def test_claiming_and_renewing_spends_nothing(run: EvalRun) -> None:
    run.items.update(lease_until=timezone.now())
    assert not RunSpend.objects.filter(run=run).exists()


# -- a run's own budget


def test_without_a_budget_there_is_no_limit(run: EvalRun) -> None:
    assert not keeps_a_budget(run)
    assert calls_left(run, 100) is None


def test_the_first_call_goes_alone_and_then_as_many_as_fit(run: EvalRun) -> None:
    run.budget_usd = Decimal(10)
    assert calls_left(run, 0) == 1
    assert calls_left(run, 1) == 0
    answered(run, "1")
    assert calls_left(run, 0) == 9
    assert calls_left(run, 4) == 5


def test_the_next_call_may_be_dearer_than_the_dearest_where_costs_differ(run: EvalRun) -> None:
    run.budget_usd = Decimal(20)
    answered(run, "1", "3")  # mean 2, dearest 3: expect 4
    assert calls_left(run, 0) == 4


def test_judges_of_answers_that_wait_for_them_are_paid_first(run: EvalRun) -> None:
    run.budget_usd = Decimal(10)
    answered(run, "1", judge="1")
    run.items.filter(pk__in=run.items.filter(status="pending").values("pk")[:3]).update(status="answered")
    assert calls_left(run, 0) == (10 - 2 - 3) // 2


def test_a_run_pauses_before_it_passes_its_budget_of_tokens(
    fake: Provider,
    words: DatasetVersion,
    prompt: PromptVersion,
) -> None:
    """A call takes two tokens: five fit into eleven."""
    run = drive(make_run(words, prompt, budget_tokens=11))
    assert run.status == "paused"
    assert "budget of 11 tokens: 10 are used" in run.status_reason
    assert run.items.filter(status="completed").count() == 5
    assert budgets_of([run])[run.pk].left_tokens == 1
    assert drive(eval_run_resume(run=run, by=BY, budget_tokens=1000)).status == "completed"


# -- a project's month


def test_a_run_pauses_before_the_projects_month_is_spent(run: EvalRun, project: Project) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(21))
    run = drive(run)
    assert run.status == "paused"
    assert "project's budget of $21" in run.status_reason
    assert "$20 is spent" in run.status_reason
    assert month_spending(project=project).left == 1
    project_budget_set(project=project, by=BY, month_usd=Decimal(100))
    assert drive(eval_run_resume(run=run, by=BY)).status == "completed"
    assert month_runs(project=project)[0].run == run


def test_what_one_run_has_under_way_is_held_back_from_the_others(
    run: EvalRun, another: EvalRun, project: Project
) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(12))
    answered(run, "1")
    answered(another, "1")
    assert calls_left(run, 4) == 6  # 10 are left, 4 are under way
    assert calls_left(another, 0) == 0  # all the rest is held
    assert "is held for calls of other runs" in spent_words(another)
    answered(run, *["1"] * 8)
    assert calls_left(run, 0) == 1  # the other gets the other half
    eval_run_cancel(run=run, by=BY)
    assert calls_left(another, 0) == 2
    assert month_spending(project=project).left == 0  # what is left is held by the other


def test_together_they_never_pass_it(run: EvalRun, another: EvalRun, project: Project) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(15))
    for _ in range(30):
        for one in (run, another):
            left = calls_left(one, 0)
            answered(one, *["1"] * min(3, left or 0))
    spent = EvalItem.objects.aggregate(spent=Sum("cost_usd"))["spent"]
    assert spent == 15


def test_a_hold_of_a_run_whose_worker_died_ends(run: EvalRun, another: EvalRun, project: Project) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(12))
    answered(run, "1")
    answered(another, "1")
    calls_left(run, 10)
    assert calls_left(another, 0) == 0
    BudgetHold.objects.filter(run=run).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert calls_left(another, 0) == 10


def test_no_more_is_held_at_once_than_is_soon_used(run: EvalRun, project: Project) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(100_000))
    answered(run, "1")
    assert calls_left(run, 0) == MOST_HELD
    assert BudgetHold.objects.get(run=run).usd == MOST_HELD


def test_last_months_spending_is_last_months(run: EvalRun, project: Project) -> None:
    project_budget_set(project=project, by=BY, month_usd=Decimal(5))
    answered(run, "4")
    RunSpend.objects.update(month=(timezone.now().date().replace(day=1) - timedelta(days=1)).replace(day=1))
    assert month_spending(project=project).spent == 0
    assert calls_left(run, 0) == 1  # another of four dollars fits
    assert budgets_of([run])[run.pk].spent_usd == 4


def test_a_month_needs_known_prices_too(project: Project, words: DatasetVersion) -> None:
    settings = ProviderSettings(name="Own server", base_url="http://127.0.0.1:9/v1")
    provider = provider_create(project=project, by=BY, kind="openai", settings=settings)
    Model.objects.create(provider=provider, name="unheard-of")
    project_budget_set(project=project, by=BY, month_usd=Decimal(5))
    with pytest.raises(InvalidInput, match="price of own-server/unheard-of is not known"):
        make_run(words, make_prompt(project, "own-server/unheard-of"))


def test_retrying_what_failed_spends_again_only_for_that(run: EvalRun) -> None:
    answered(run, *["1"] * 39)
    run.items.filter(status="pending").update(status="failed", attempts=5)
    EvalRun.objects.filter(pk=run.pk).update(status="completed")
    eval_run_retry_failed(run=run, by=BY)
    assert run.items.filter(status="pending").count() == 1
    answered(run, "1")
    assert RunSpend.objects.get(run=run).calls == 40


def test_a_budget_of_tokens_holds_on_the_model_in_memory(
    project: Project, words: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer uses ten tokens here; a batch is not larger than what is left."""

    class Engine:
        def generate(self, requests: Sequence[CompletionRequest]) -> list[CompletionResponse]:
            return [
                CompletionResponse(
                    text="x",
                    tool_calls=(),
                    finish_reason="stop",
                    input_tokens=9,
                    output_tokens=1,
                    time_to_first_token_s=None,
                    duration_s=0.1,
                    model="m",
                )
                for _ in requests
            ]

    monkeypatch.setattr("apps.providers.local_model.local_engine", lambda connection: Engine())
    run = make_run(words, make_prompt(project, "local/smollm2-135m-instruct"), budget_tokens=105)

    for _ in range(20):
        run.refresh_from_db()
        if run.status not in ("pending", "running"):
            break
        driving.drive_local_run(run.pk, run.driver_token)

    assert run.status == "paused"
    assert run.items.filter(status="completed").count() == 10
