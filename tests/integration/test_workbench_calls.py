"""Calls asked for, taken, stopped, swept and shown, without processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.budget_services import project_budget_set
from apps.evaluations.engine.budget import month_spent
from apps.evaluations.models import EvalRun
from apps.evaluations.spending import month_spending
from apps.providers.models import Model, Provider
from apps.providers.services import ProviderSettings, local_provider_ensure, provider_create
from apps.workbench.calls.claims import calls_claim, local_calls_claim
from apps.workbench.calls.finishing import call_finish
from apps.workbench.calls.outcomes import Outcome
from apps.workbench.calls.stream import Page, events_since, note_presence, publish, valkey
from apps.workbench.calls.sweeping import calls_sweep
from apps.workbench.models import Call
from apps.workbench.values import past_calls
from tests.factories.core import make_member
from tests.factories.prompts import make_version
from tests.workbench_steps import PageOfPerson, open_page, typed

pytestmark = pytest.mark.django_db
DONE = Outcome(Call.Status.COMPLETED, output="fine", input_tokens=3, output_tokens=4, duration_ms=5.0)


@pytest.fixture
def fake(project: Project, actor: Actor) -> Provider:
    return provider_create(project=project, by=actor, kind="fake", settings=ProviderSettings(name="Fake"))


@pytest.fixture
def dear(project: Project, actor: Actor) -> Provider:
    """A provider whose one model costs a dollar a token."""
    settings = ProviderSettings(name="Dear", base_url="http://127.0.0.1:9/v1")
    provider = provider_create(project=project, by=actor, kind="openai", settings=settings)
    provider.models.create(name="m", input_price=Decimal(1_000_000), output_price=Decimal(1_000_000))
    return provider


@pytest.fixture
def person(project: Project, fake: Provider) -> PageOfPerson:
    return open_page(project)


def columns(*typeds: object) -> list[dict[str, object]]:
    return [{"id": chr(97 + n), "typed": each, "base": None} for n, each in enumerate(typeds)]


def run_one(person: PageOfPerson, text: str = "hello", model: str = "fake/echo", **more: object) -> Call:
    answer = person.post("run", {"page": str(person.page), "columns": columns(typed(text, model)), **more})
    return Call.objects.get(pk=answer["calls"][0]["id"])


def test_columns_of_one_click_share_a_batch(person: PageOfPerson) -> None:
    asked = columns(
        typed("Say {{ word }}", "fake/echo"), typed("{{ word }}!", "fake/upper", temperature="0.5")
    )
    answer = person.post(
        "run", {"page": str(person.page), "columns": asked, "values": {"word": "yes", "other": "no"}}
    )
    calls = list(Call.objects.order_by("pk"))
    assert [call["column"] for call in answer["calls"]] == ["a", "b"]
    assert {str(call.batch) for call in calls} == {answer["batch"]}
    assert [call.messages[0]["content"] for call in calls] == ["Say yes", "yes!"]
    assert [call.inputs for call in calls] == [{"word": "yes"}] * 2
    assert calls[1].content["parameters"] == {"model": "fake/upper", "temperature": 0.5}
    assert {call.status for call in calls} == {"pending"}


def test_all_errors_of_all_columns_are_told_at_once(person: PageOfPerson) -> None:
    asked = columns(
        typed("Say {{ word", "fake/echo"),
        typed("{{ word }}", "fake/none", temperature="warm"),
        typed("{{ word }}", "nowhere/x"),
        typed("fine", "fake/echo"),
    )
    problem = person.post(
        "run", {"page": str(person.page), "columns": asked, "values": {"word": ""}}, status=422
    )
    assert problem["code"] == "invalid_run"
    assert set(problem["errors"]) == {
        "columns[0].messages[0].content",
        "columns[1].parameters.temperature",
        "columns[2].parameters.model",
        "columns[2].values.word",
    }
    assert not Call.objects.exists()


@pytest.mark.parametrize("wrong", [None, [], "x", [{}] * 5, [None], [{"typed": 7}]])
def test_what_is_no_column_is_refused(person: PageOfPerson, wrong: object) -> None:
    person.post("run", {"page": str(person.page), "columns": wrong}, status=422)
    person.post("run", {"page": "x", "columns": wrong}, status=400)


def test_content_that_is_the_saved_versions_is_of_that_version(person: PageOfPerson) -> None:
    version = make_version(person.prompt, "Say yes", parameters={"model": "fake/echo"})
    same, other = (
        {"id": "a", "typed": typed(text, "fake/echo"), "base": 1} for text in ("Say yes", "Say no")
    )
    first, second = (
        person.post("run", {"page": str(person.page), "columns": [column]})["calls"][0]
        for column in (same, other)
    )
    assert (first["prompt_version"], second["prompt_version"]) == (version.number, None)


def test_a_request_that_comes_twice_runs_once(person: PageOfPerson) -> None:
    batch = str(uuid4())
    first, second = (run_one(person, batch=batch) for _ in range(2))
    assert first.pk == second.pk
    assert Call.objects.count() == 1


def test_a_call_is_taken_once_and_only_its_holder_ends_it(person: PageOfPerson) -> None:
    call = run_one(person)
    [claimed], again = calls_claim([call.pk]), calls_claim([call.pk])
    assert again == []
    assert call_finish(call_id=call.pk, lease=uuid4(), outcome=DONE) is None
    assert call_finish(call_id=call.pk, lease=claimed.lease, outcome=DONE) is not None
    assert call_finish(call_id=call.pk, lease=claimed.lease, outcome=DONE) is None
    told = [event["type"] for event in events_since(claimed.page)]
    assert told == ["done"]


def test_a_call_that_waits_is_stopped_at_once_and_one_that_ended_stays(person: PageOfPerson) -> None:
    call = run_one(person)
    assert person.stop(str(call.pk))["status"] == "cancelled"
    assert calls_claim([call.pk]) == []
    assert person.stop(str(call.pk))["error"] == "Stopped."
    [event] = events_since(Page.of_call(call))
    assert (event["type"], event["cost_usd"]) == ("cancelled", "0")


def test_what_nobody_took_up_is_sent_again_and_given_up_in_the_end(person: PageOfPerson) -> None:
    call = run_one(person)
    Call.objects.update(lease_until=timezone.now())
    with patch("apps.workbench.calls.sweeping.call_enqueue") as sent:
        assert calls_sweep() == 1
        assert calls_sweep() == 0
    sent.assert_called_once_with(call.pk)
    old = timezone.now() - timedelta(minutes=11)
    Call.objects.update(lease_until=old, created_at=old)
    calls_sweep()
    call.refresh_from_db()
    assert (call.status, call.error_kind) == ("failed", "never_taken")


def test_what_waits_for_a_page_that_was_left_is_cancelled_unless_it_is_kept(person: PageOfPerson) -> None:
    left, kept = run_one(person), run_one(person, keep=True)
    valkey().delete(Page.of_call(left).presence_key)
    Call.objects.update(lease_until=timezone.now())
    with patch("apps.workbench.calls.sweeping.call_enqueue"):
        calls_sweep()
    left.refresh_from_db()
    kept.refresh_from_db()
    assert (left.status, left.error_kind, kept.status) == ("cancelled", "page_left", "pending")


def test_a_call_whose_worker_was_lost_keeps_what_its_page_was_told(person: PageOfPerson) -> None:
    call = run_one(person)
    [claimed] = calls_claim([call.pk])
    assert calls_sweep() == 0
    for text in ("half an ", "answer"):
        publish(claimed.page, {"type": "text", "call": str(call.pk), "text": text})
    Call.objects.update(lease_until=timezone.now())
    calls_sweep()
    call.refresh_from_db()
    assert (call.status, call.error_kind, call.output) == ("failed", "worker_lost", "half an answer")
    assert call_finish(call_id=call.pk, lease=claimed.lease, outcome=DONE) is None


def test_a_call_whose_model_was_deleted_fails_with_words(person: PageOfPerson) -> None:
    call = run_one(person)
    Call.objects.update(model=None)
    assert calls_claim([call.pk]) == []
    call.refresh_from_db()
    assert (call.status, call.error_kind) == ("failed", "unknown_model")


def test_calls_to_the_embedded_model_are_taken_together(person: PageOfPerson, actor: Actor) -> None:
    local_provider_ensure(project=person.project, by=actor)
    local = Model.objects.get(provider__project=person.project, provider__kind="local").full_name
    run_one(person)
    for _ in range(3):
        run_one(person, model=local)
    assert len(local_calls_claim(2)) == 2
    assert len(local_calls_claim(2)) == 1
    assert Call.objects.filter(status="pending").count() == 1


def test_what_calls_cost_counts_in_the_month_and_a_used_up_budget_refuses(
    person: PageOfPerson, dear: Provider, actor: Actor
) -> None:
    project_budget_set(project=person.project, by=actor, month_usd=Decimal(5))
    call = run_one(person, model="dear/m")
    [claimed] = calls_claim([call.pk])
    call_finish(call_id=call.pk, lease=claimed.lease, outcome=DONE)
    month = month_spending(project=person.project)
    assert (month.others, month.spent, month.left) == (7, 7, 0)
    assert month_spent(EvalRun(project=person.project)) == 7
    body = {"page": str(person.page), "columns": columns(typed("more", "dear/m"))}
    assert person.post("run", body, status=409)["code"] == "budget_used_up"
    assert run_one(person).status == "pending"  # what costs nothing still goes


def test_a_budget_wants_prices(person: PageOfPerson, dear: Provider, actor: Actor) -> None:
    project_budget_set(project=person.project, by=actor, month_usd=Decimal(5))
    body = {"page": str(person.page), "columns": columns(typed("more", "dear/priceless"))}
    assert "price" in person.post("run", body, status=422)["detail"]


def test_an_archived_prompt_and_a_viewer_run_nothing(person: PageOfPerson) -> None:
    viewer = PageOfPerson(person.project, person.prompt, make_member(person.project, Role.VIEWER))
    viewer.run("hello", status=403)
    person.prompt.archived_at = timezone.now()
    person.prompt.save()
    body = {"page": str(person.page), "columns": columns(typed("hello", "fake/echo"))}
    assert person.post("run", body, status=409)["code"] == "prompt_archived"


def test_another_projects_calls_are_not_there(person: PageOfPerson, other_project: Project) -> None:
    call = run_one(person)
    other = open_page(other_project)
    for route, args in (("call", (call.pk,)), ("call-page", (other.prompt.slug, call.pk))):
        path = reverse(f"workbench:{route}", args=(other_project.slug, *args))
        assert other.client.get(path, headers={"accept": "application/json"}).status_code == 404
    assert (
        other.client.post(reverse("workbench:call-stop", args=(other_project.slug, call.pk))).status_code
        == 404
    )
    call.refresh_from_db()
    assert call.status == "pending"


def test_a_page_is_told_of_its_own_calls_only(person: PageOfPerson) -> None:
    call = run_one(person)
    colleague = PageOfPerson(person.project, person.prompt, make_member(person.project, Role.EDITOR))
    colleague.page = person.page
    assert person.calls() == [str(call.pk)]
    assert colleague.calls() == []


def test_history_is_filtered_and_a_calls_page_shows_output_as_text(person: PageOfPerson) -> None:
    call = run_one(person, "question")
    [claimed] = calls_claim([call.pk])
    evil = "<script>alert(1)</script> needle"
    call_finish(call_id=call.pk, lease=claimed.lease, outcome=Outcome(Call.Status.COMPLETED, output=evil))
    run_one(person, "other")
    path = reverse("workbench:history", args=(person.project.slug, person.prompt.slug))
    expected = {
        "": 2,
        "?q=needle": 1,
        "?status=completed": 1,
        "?status=failed": 0,
        "?version=draft": 2,
        "?by=me": 2,
        "?version=x": 2,
    }
    for query, rows in expected.items():
        assert person.client.get(path + query).content.decode().count(f'href="{path}0') == rows, query
    page = person.client.get(f"{path}{call.pk}/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; needle" in page
    assert f"?call={call.pk}" in page
    assert "question" in page


def test_rest_runs_a_saved_version(person: PageOfPerson, api_client: Callable[[Role], APIClient]) -> None:
    make_version(person.prompt, "Say {{ word }}", parameters={"model": "fake/echo"})
    client = api_client(Role.EDITOR)
    path = f"/api/v1/prompts/{person.prompt.slug}/calls/"
    body = {"inputs": {"word": "yes"}, "parameters": {"temperature": 0.5}, "model": "fake/upper"}
    first, second = (
        client.post(path, body, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert (first.status_code, second.json()["id"]) == (202, first.json()["id"])
    call = Call.objects.get()
    assert (call.keep, call.prompt_version.number, call.messages[0]["content"]) == (True, 1, "Say yes")
    assert call.content["parameters"] == {"model": "fake/upper", "temperature": 0.5}
    assert client.get(path).json()["results"][0]["id"] == str(call.pk)
    assert client.get(f"/api/v1/calls/{call.pk}/").json()["messages"] == call.messages
    assert client.post(f"/api/v1/calls/{call.pk}/stop/").json()["status"] == "cancelled"
    problem = client.post(path, {"parameters": {"temperature": "x"}}, format="json").json()
    assert "parameters.temperature" in problem["errors"]
    missing = client.post(path, {}, format="json")
    assert (missing.status_code, set(missing.json()["errors"])) == (422, {"values.word"})
    assert client.post(path, {"version": 9}, format="json").status_code == 404


def test_presence_is_noted_by_a_run(person: PageOfPerson) -> None:
    call = run_one(person)
    assert 0 < valkey().pttl(Page.of_call(call).presence_key) <= 30_000
    note_presence(Page.of_call(call))


@pytest.mark.parametrize("odd", ['["\\u0000"]', '{"a": "\\ud800"}', "[NaN]", "[-Infinity]", '{"a": 1e999}'])
def test_json_that_cannot_be_stored_stays_a_text(person: PageOfPerson, odd: str) -> None:
    call = run_one(person, "{{ word }}", values={"word": odd})
    assert (call.inputs, call.messages[0]["content"]) == ({"word": odd}, odd)


def test_the_embedded_model_is_not_given_up_while_it_takes_calls(person: PageOfPerson, actor: Actor) -> None:
    local_provider_ensure(project=person.project, by=actor)
    local = Model.objects.get(provider__project=person.project, provider__kind="local").full_name
    taken, waits = run_one(person, model=local), run_one(person, model=local)
    calls_claim([taken.pk])
    old = timezone.now() - timedelta(minutes=11)
    Call.objects.filter(pk=waits.pk).update(lease_until=old, created_at=old)
    calls_sweep()
    waits.refresh_from_db()
    assert waits.status == "pending"
    Call.objects.filter(pk=taken.pk).update(started_at=old)
    Call.objects.filter(pk=waits.pk).update(lease_until=old)
    calls_sweep()
    waits.refresh_from_db()
    assert (waits.status, waits.error_kind) == ("failed", "never_taken")


def test_stopping_what_nobody_took_up_does_not_read_its_pages_events(person: PageOfPerson) -> None:
    call = run_one(person)
    with patch("apps.workbench.calls.services.told_so_far", side_effect=AssertionError):
        assert person.stop(str(call.pk))["status"] == "cancelled"


def test_an_answer_that_broke_off_has_cost_something_that_nobody_knows(
    person: PageOfPerson, dear: Provider
) -> None:
    for first_token_ms in (None, 3.0):
        call = run_one(person, model="dear/m")
        [claimed] = calls_claim([call.pk])
        outcome = Outcome(Call.Status.FAILED, error="Broken.", first_token_ms=first_token_ms)
        call_finish(call_id=call.pk, lease=claimed.lease, outcome=outcome)
    assert month_spending(project=person.project).unknown == 1


def test_past_values_are_no_more_than_a_page_can_take(person: PageOfPerson) -> None:
    for number in range(8):
        Call.objects.filter(pk=run_one(person).pk).update(inputs={"word": f"{number}{'x' * 500_000}"})
    assert 4 <= len(past_calls(prompt=person.prompt)) <= 5
