"""A prompt tried on rows: asked for, answered, scored, found again, stopped and asked for anew."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import DatasetVersion
from apps.evaluations.budget_services import project_budget_set
from apps.evaluations.evaluators import default_config, kind
from apps.evaluations.models import Evaluator, EvaluatorVersion
from apps.evaluations.spending import month_spending
from apps.prompts.models import PromptVersion
from apps.prompts.typed import typed_of
from apps.providers.models import Provider
from apps.providers.services import ProviderSettings, provider_create
from apps.traces.models import Span
from apps.workbench.call_ends import call_ended
from apps.workbench.calls.claims import calls_claim
from apps.workbench.calls.errors import BudgetUsedUp, InvalidRun
from apps.workbench.calls.finishing import call_finish
from apps.workbench.calls.outcomes import Outcome
from apps.workbench.models import Call, Trial, TrialCell, TrialScore
from apps.workbench.trials import choosing, scoring, services
from apps.workbench.trials.choosing import trial_estimate, trial_request
from apps.workbench.trials.errors import DearTrial, InvalidTrial
from apps.workbench.trials.evaluating import evaluator_choices
from apps.workbench.trials.presenting import trial_as_json
from apps.workbench.trials.selectors import cells_of
from apps.workbench.trials.services import trial_retry, trial_start, trial_stop
from tests.factories.core import make_member
from tests.integration.judging import make_loop, verdict
from tests.loopback_provider import Behaviour, LoopbackProvider

pytestmark = pytest.mark.django_db


@pytest.fixture
def by(project: Project) -> Actor:
    user = make_member(project, Role.EDITOR)
    return Actor(kind="user", id=str(user.pk), label=user.email, role=Role.EDITOR)


@pytest.fixture
def body(prompt: PromptVersion, words: DatasetVersion) -> dict[str, Any]:
    typed = typed_of(prompt)
    louder = {**typed, "messages": [{**typed["messages"][0], "content": "Loud: {{ word }}"}]}
    return {
        "columns": [{"id": "a", "base": 1, "typed": typed}, {"id": "b", "base": 1, "typed": louder}],
        "dataset": words.dataset.slug,
        "limit": 3,
        "evaluators": [],
    }


def start(prompt: PromptVersion, by: Actor, body: dict[str, Any], **more: Any) -> Trial:
    of = prompt.prompt
    return trial_start(project=of.project, by=by, prompt=of, page=uuid4(), body=body, **more)


def answer(call: Call, text: str = "", status: str = "completed") -> None:
    """What a worker does with a call, and what follows its end."""
    [claimed] = calls_claim([call.pk])
    outcome = Outcome(
        Call.Status(status),
        output=text,
        input_tokens=2,
        output_tokens=1,
        duration_ms=50,
        error="Broken." if status == "failed" else "",
    )
    call_finish(call_id=call.pk, lease=claimed.lease, outcome=outcome)
    call_ended(call.pk)


def score_all() -> None:
    for cell in TrialCell.objects.filter(scored_at=None, call__status="completed"):
        for queue in scoring.TASKS:
            scoring.cell_score(cell.pk, queue)


def make_evaluator(project: Project, slug: str, kind_name: str, **config: Any) -> EvaluatorVersion:
    evaluator = Evaluator.objects.create(project=project, slug=slug, name=slug, kind=kind_name)
    return EvaluatorVersion.objects.create(
        evaluator=evaluator, number=1, config={**default_config(kind(kind_name)), **config}
    )


def test_every_row_becomes_a_call_in_every_column(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    trial = start(prompt, by, body)
    calls = Call.objects.filter(trial_cell__trial=trial).order_by("pk")
    assert [call.messages[0]["content"] for call in calls] == [
        *(f"word{n}" for n in range(3)),
        *(f"Loud: word{n}" for n in range(3)),
    ]
    assert {call.purpose for call in calls} == {"trial"}
    assert [call.prompt_version_id for call in calls] == [prompt.pk] * 3 + [None] * 3


def test_answers_are_scored_and_what_failed_is_missing_not_zero(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], exact: EvaluatorVersion
) -> None:
    trial = start(prompt, by, body | {"evaluators": ["exact"]})
    texts = iter(["WORD0", "nothing", None, "WORD0", "WORD1", "WORD2"])
    for call in Call.objects.filter(trial_cell__trial=trial).order_by("pk"):
        text = next(texts)
        answer(call, text or "", "completed" if text else "failed")
    score_all()
    shown = trial_as_json(trial)
    assert shown["done"]
    first, second = shown["figures"]["a"], shown["figures"]["b"]
    assert first["metrics"]["exact"] == {"mean": 0.5, "n": 2, "missing": 0}
    assert (first["failed"], first["completed"]) == (1, 2)
    assert second["metrics"]["exact"]["mean"] == 1.0
    assert shown["rows"][2]["cells"]["a"]["scores"] == {}
    assert shown["rows"][0]["cells"]["a"]["scores"]["exact"]["value"] == 1.0
    assert TrialScore.objects.count() == 5


def test_a_cell_is_scored_once_however_often_its_task_comes(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], exact: EvaluatorVersion
) -> None:
    trial = start(prompt, by, body | {"evaluators": ["exact"], "limit": 1})
    for call in Call.objects.all():
        answer(call, "WORD0")
        call_ended(call.pk)
    score_all()
    score_all()
    assert TrialScore.objects.count() == 2
    assert all(cell.scored_at for cell in trial.cells.all())


def test_an_evaluator_that_cannot_score_leaves_a_reason(
    project: Project, prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    make_evaluator(project, "bad-judge", "rubric_judge", model="nobody/nothing", criteria=["Be right."])
    trial = start(prompt, by, body | {"evaluators": ["bad-judge"], "limit": 1})
    for call in Call.objects.all():
        answer(call, "WORD0")
    score_all()
    score = TrialScore.objects.filter(value=None).first()
    assert score is not None
    assert "nobody" in score.detail
    assert trial_as_json(trial)["figures"]["a"]["metrics"]["bad-judge"]["missing"] == 1


def test_what_judges_cost_is_kept_and_counts_in_the_month(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], loopback_provider: LoopbackProvider
) -> None:
    project = prompt.prompt.project
    make_loop(project, loopback_provider)
    loopback_provider.behaviour = Behaviour(reply=lambda _: verdict(score=4))
    make_evaluator(project, "judge", "rubric_judge", model="loop/loop-small", criteria=["Be right."])
    trial = start(prompt, by, body | {"evaluators": ["judge"], "limit": 1})
    before = month_spending(project=project).spent
    for cell in trial.cells.all():
        answer(cell.call, "word0")
    score_all()
    figures = trial_as_json(trial)["figures"]["a"]
    assert figures["metrics"]["judge"]["n"] == 1
    assert Decimal(figures["judge_cost_usd"]) > 0
    cells = TrialCell.objects.filter(trial=trial)
    costs = [cell.judge_cost_usd for cell in cells]
    assert month_spending(project=project).spent - before == sum(costs)
    spans = Span.objects.filter(project=project, kind="evaluator")
    assert {span.origin for span in spans} == {f"call:{cell.call_id}" for cell in cells}
    assert sum(span.cost_usd or 0 for span in spans) == sum(costs)


def test_a_lost_task_is_found_again(
    prompt: PromptVersion,
    by: Actor,
    body: dict[str, Any],
    exact: EvaluatorVersion,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = start(prompt, by, body | {"evaluators": ["exact"], "limit": 1})
    calls = list(Call.objects.all())
    for call in calls:
        answer(call, "WORD0")
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(scoring, "enqueue", lambda name, **more: sent.append((name, more)))
    scoring.cells_sweep()
    assert sent == []  # it may still come
    Call.objects.update(finished_at=timezone.now() - scoring.LOST_AFTER * 2)
    scoring.cells_sweep()
    assert len(sent) == 2
    for _name, more in sent:
        scoring.cell_score(UUID(more["cell_id"]), more["queue"])
    assert trial_as_json(trial)["done"]


def test_scoring_that_breaks_off_again_and_again_is_given_up(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], exact: EvaluatorVersion
) -> None:
    trial = start(prompt, by, body | {"evaluators": ["exact"], "limit": 1})
    for call in Call.objects.all():
        answer(call, "WORD0")
    Call.objects.update(finished_at=timezone.now() - scoring.LOST_AFTER * 2)
    TrialCell.objects.update(scoring_attempts=100)
    scoring.cells_sweep()
    shown = trial_as_json(trial)
    assert shown["done"]
    assert shown["figures"]["a"]["metrics"]["exact"] == {"mean": None, "n": 0, "missing": 1}


def test_stopping_ends_what_waits_and_keeps_what_is_there(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    trial = start(prompt, by, body)
    first, *others = Call.objects.filter(trial_cell__trial=trial).order_by("pk")
    answer(first, "WORD0")
    trial_stop(trial=trial)
    assert Call.objects.filter(status="cancelled").count() == len(others)
    first.refresh_from_db()
    assert first.status == "completed"


def test_only_what_failed_is_asked_for_again(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], exact: EvaluatorVersion
) -> None:
    trial = start(prompt, by, body | {"evaluators": ["exact"], "columns": body["columns"][:1]})
    first, second, third = Call.objects.order_by("pk")
    answer(first, "WORD0")
    answer(second, "", "failed")
    trial_stop(trial=trial)
    assert trial_retry(trial=trial, by=by, page=uuid4()) == 2
    cells = list(trial.cells.select_related("call").order_by("position"))
    assert cells[0].call == first
    assert {second.pk, third.pk}.isdisjoint({cell.call_id for cell in cells})
    for cell in cells[1:]:
        assert cell.call is not None
        answer(cell.call, f"WORD{cell.position}")
    score_all()
    assert trial_as_json(trial)["figures"]["a"]["metrics"]["exact"] == {"mean": 1.0, "n": 3, "missing": 0}


def test_a_row_that_does_not_fit_is_told_and_the_others_go_on(
    project: Project, prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    typed = typed_of(prompt)
    odd = "{% if word == 'word1' %}{{ word.nothing.at_all }}{% else %}{{ word }}{% endif %}"
    broken = {**typed, "messages": [{**typed["messages"][0], "content": odd}]}
    trial = start(prompt, by, body | {"columns": [{"id": "a", "base": None, "typed": broken}]})
    shown = trial_as_json(trial)
    assert [row["cells"]["a"]["status"] for row in shown["rows"]] == ["pending", "unfit", "pending"]
    assert "nothing" in shown["rows"][1]["cells"]["a"]["error"]


def test_a_prompt_whose_variables_the_dataset_lacks_is_refused_at_once(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    typed = typed_of(prompt)
    other = {**typed, "messages": [{**typed["messages"][0], "content": "{{ sentence }}"}]}
    with pytest.raises(InvalidRun, match="sentence"):
        start(prompt, by, body | {"columns": [{"id": "a", "base": None, "typed": other}]})
    assert not Trial.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"limit": 51}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": "3"}, "limit"),
        ({"limit": True}, "limit"),
        ({"dataset": ""}, "dataset"),
        ({"dataset": "no-such"}, "dataset"),
        ({"q": "nothing-like-this"}, "dataset"),
        ({"evaluators": "exact"}, "evaluators"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], wrong: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidTrial) as refused:
        start(prompt, by, body | wrong)
    assert place in refused.value.fields


def test_more_than_four_columns_are_refused(prompt: PromptVersion, by: Actor, body: dict[str, Any]) -> None:
    columns = [{**body["columns"][0], "id": str(n)} for n in range(5)]
    with pytest.raises(InvalidRun):
        start(prompt, by, body | {"columns": columns})


def test_evaluators_that_need_more_than_a_row_are_listed_as_such(
    project: Project, prompt: PromptVersion, by: Actor, body: dict[str, Any], exact: EvaluatorVersion
) -> None:
    make_evaluator(project, "consistent", "self_consistency")
    make_evaluator(project, "pairs", "pairwise_judge", against="run", baseline_run=1, model="fake/echo")
    why = {choice.slug: choice.why_not for choice in evaluator_choices(project=project)}
    assert why["exact"] == ""
    assert "whole run" in why["consistent"]
    assert "another run" in why["pairs"]
    with pytest.raises(InvalidTrial, match="consistent cannot score one row"):
        start(prompt, by, body | {"evaluators": ["consistent"]})


def test_what_may_be_dear_has_to_be_said_to_be_meant(
    fake: Provider, prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    fake.models.update(input_price=1000, output_price=90_000)
    asked = trial_request(project=fake.project, prompt=prompt.prompt, body=body)
    cost = trial_estimate(project=fake.project, prompt=prompt.prompt, request=asked)
    assert cost.calls == 6
    assert cost.high is not None
    assert cost.high > 1
    with pytest.raises(DearTrial, match="may cost up to"):
        start(prompt, by, body)
    assert start(prompt, by, body, sure=True).cells.count() == 6


def test_a_trial_of_any_size_is_started_in_the_same_few_queries(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    counts = []
    for limit in (1, 20):
        with CaptureQueriesContext(connection) as queries:
            start(prompt, by, body | {"limit": limit})
        counts.append(len(queries))
    assert counts[0] == counts[1] < 40


def test_a_trial_of_any_size_is_read_in_the_same_few_queries(
    prompt: PromptVersion,
    by: Actor,
    body: dict[str, Any],
    exact: EvaluatorVersion,
    django_assert_max_num_queries: Any,
) -> None:
    trial = start(prompt, by, body | {"limit": 30, "evaluators": ["exact"]})
    for call in Call.objects.all()[:20]:
        answer(call, "x")
    score_all()
    trial.refresh_from_db()
    with django_assert_max_num_queries(6):
        assert len(trial_as_json(trial)["rows"]) == 30


def test_what_is_taken_up_while_a_trial_is_stopped_is_stopped_too(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = start(prompt, by, body)
    ask = services.calls_ask_to_stop

    def then_taken_up(calls: QuerySet[Call]) -> int:
        asked = ask(calls)
        calls_claim(list(Call.objects.values_list("pk", flat=True)))
        return asked

    monkeypatch.setattr(services, "calls_ask_to_stop", then_taken_up)
    trial_stop(trial=trial)
    assert not Call.objects.filter(cancel_requested_at=None).exists()


def test_a_prompt_that_takes_its_time_is_not_filled_in_for_ever(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_FILLING_S", 0.0)
    with pytest.raises(InvalidTrial, match="fewer rows"):
        start(prompt, by, body)
    assert not Trial.objects.exists()


def test_an_estimate_fills_in_as_many_rows_as_it_has_time_for(
    project: Project, prompt: PromptVersion, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = trial_request(project=project, prompt=prompt.prompt, body=body)
    assert [len(choosing.sampled(column, request.examples)) for column in request.columns] == [3, 3]
    monkeypatch.setattr(choosing, "MOST_SAMPLING_S", 0.0)
    assert [len(choosing.sampled(column, request.examples)) for column in request.columns] == [1, 1]


def test_a_used_up_budget_asks_no_judge(
    prompt: PromptVersion, by: Actor, body: dict[str, Any], loopback_provider: LoopbackProvider
) -> None:
    project = prompt.prompt.project
    make_loop(project, loopback_provider)
    loopback_provider.behaviour = Behaviour(reply=lambda _: verdict(score=4))
    make_evaluator(project, "judge", "rubric_judge", model="loop/loop-small", criteria=["Be right."])
    trial = start(prompt, by, body | {"evaluators": ["judge"], "limit": 1})
    project_budget_set(project=project, by=by, month_usd=Decimal(0))
    for cell in trial.cells.all():
        answer(cell.call, "word0")
    score_all()
    scores = TrialScore.objects.filter(call__trial_cell__trial=trial)
    assert {score.value for score in scores} == {None}
    assert all("budget" in score.detail for score in scores)
    assert trial_as_json(trial)["done"]
    assert month_spending(project=project).spent == 0


def test_a_trial_that_the_months_budget_cannot_pay_is_refused_however_sure(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    project = prompt.prompt.project
    settings = ProviderSettings(name="Dear", base_url="http://127.0.0.1:9/v1")
    dear = provider_create(project=project, by=by, kind="openai", settings=settings)
    dear.models.create(name="m", input_price=Decimal(1_000_000), output_price=Decimal(1_000_000))
    project_budget_set(project=project, by=by, month_usd=Decimal(5))
    column = {"id": "a", "base": None, "typed": {**typed_of(prompt), "model": "dear/m"}}
    with pytest.raises(BudgetUsedUp, match="fewer rows"):
        start(prompt, by, body | {"columns": [column]}, sure=True)
    assert not Trial.objects.exists()


def test_answers_are_read_only_as_far_as_the_table_shows_them(
    prompt: PromptVersion, by: Actor, body: dict[str, Any]
) -> None:
    trial = start(prompt, by, body | {"limit": 1, "columns": body["columns"][:1]})
    answer(Call.objects.get(), "x" * 1000)
    [cell] = cells_of(trial)
    assert cell.call is not None
    assert {"output", "inputs"} <= cell.call.get_deferred_fields()
    shown = trial_as_json(trial)["rows"][0]["cells"]["a"]
    assert (shown["output"], shown["more"]) == ("x" * 400, True)
