"""What a run would cost, what it may, and running it again: on its pages and over REST."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.budget_services import project_budget_set
from apps.evaluations.models import EvalRun
from apps.providers.models import Model, Provider
from tests.factories.core import SYSTEM
from tests.factories.evaluations import (
    make_dataset_version,
    make_evaluator_version,
    make_model,
    make_prompt_version,
    make_run,
)

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
Api = Callable[[Role], APIClient]


@pytest.fixture
def asked(project: Project) -> dict[str, Any]:
    """A run of four examples with a priced model: a dollar a million tokens in, two out."""
    model = make_model(project)
    model.input_price, model.output_price = Decimal(1), Decimal(2)
    model.save()
    prompt = make_prompt_version(project, model=model.full_name)
    return {"prompt": prompt.prompt.slug, "dataset": make_dataset_version(project, 4).dataset.slug}


def estimate(client: APIClient, body: dict[str, Any]) -> Any:
    answer = client.post(reverse("api:eval-run-estimate"), body, format="json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_an_estimate_says_what_it_rests_on_and_counts_repetitions(
    project: Project, api_client: Api, asked: dict[str, Any]
) -> None:
    client = api_client(Role.EDITOR)
    one = estimate(client, asked)
    assert one["calls"] == 4
    assert one["input_tokens"]["low"] < one["input_tokens"]["likely"] < one["input_tokens"]["high"]
    assert one["output_from"].startswith("a guess")
    assert Decimal(one["cost_usd"]["low"]) < Decimal(one["cost_usd"]["likely"])
    three = estimate(client, asked | {"repetitions": 3})
    assert three["calls"] == 12
    assert Decimal(three["cost_usd"]["likely"]) == 3 * Decimal(one["cost_usd"]["likely"])
    assert not EvalRun.objects.exists()


def test_an_estimate_uses_what_earlier_runs_gave(project: Project, api_client: Api) -> None:
    provider = Provider.objects.create(project=project, slug="fake", name="Fake", kind="fake")
    Model.objects.create(provider=provider, name="tiny")
    prompt, dataset = make_prompt_version(project, model="fake/tiny"), make_dataset_version(project, 4)
    body = {"prompt": prompt.prompt.slug, "dataset": dataset.dataset.slug}
    other = make_run(project, dataset, outputs=["a"] * 4)  # three tokens an answer
    client = api_client(Role.EDITOR)
    found = estimate(client, body)
    assert found["output_from"] == f"as run #{other.number} of this model gave, with another prompt"
    assert found["output_tokens"]["likely"] == 12
    same = make_run(project, dataset, outputs=["a"] * 4, prompt_version=prompt)
    found = estimate(client, body)
    assert found["output_from"] == f"as run #{same.number} of this prompt version and model gave"
    assert found["cost_usd"]["high"] == "0"


def test_the_form_shows_the_estimate_and_what_is_left_of_the_month(
    project: Project, client_as: ClientAs, asked: dict[str, Any]
) -> None:
    project_budget_set(project=project, by=SYSTEM, month_usd=Decimal(50))
    page = client_as(Role.EDITOR).get(reverse("evaluations:run-create", args=[project.slug]), asked)
    text = page.content.decode()
    assert "Tokens out" in text
    assert "a guess, as this model has not run yet" in text
    assert "of the project&#x27;s $50" in text or "of the project's $50" in text


def test_a_budget_is_set_by_admins_and_read_by_all(project: Project, api_client: Api) -> None:
    url = reverse("api:budget")
    assert api_client(Role.EDITOR).put(url, {"month_usd": "5"}, format="json").status_code == 403
    made = api_client(Role.ADMIN).put(url, {"month_usd": "5"}, format="json").json()
    assert (made["month_usd"], made["left_usd"], made["spent_usd"]) == ("5", "5", "0")
    assert api_client(Role.VIEWER).get(url).json()["month_usd"] == "5"
    assert api_client(Role.ADMIN).put(url, {"month_usd": "-1"}, format="json").status_code == 400
    assert api_client(Role.ADMIN).put(url, {"month_usd": None}, format="json").json()["left_usd"] is None


def test_the_budget_page_saves_and_shows_what_was_spent(project: Project, client_as: ClientAs) -> None:
    url = reverse("evaluations:budget", args=[project.slug])
    client = client_as(Role.ADMIN)
    assert client_as(Role.EDITOR).get(url).status_code == 403
    assert "Nothing was spent this month" in client.get(url).content.decode()
    run = make_run(project, outputs=["a"] * 4)
    run.items.update(status="pending", attempts=0)
    run.items.update(status="completed", attempts=1, cost_usd="0.25")
    assert client.post(url, {"month_usd": "4"}).status_code == 302
    page = client.get(url).content.decode()
    assert run.name in page
    assert "$1.00" in page
    assert "$3.00" in page
    assert client.post(url, {"month_usd": "much"}).status_code == 422


def test_a_run_is_run_again_with_the_same_plan(
    project: Project, api_client: Api, asked: dict[str, Any]
) -> None:
    exact = make_evaluator_version(project)
    client = api_client(Role.EDITOR)
    body = asked | {"evaluators": [exact.evaluator.slug], "repetitions": 2, "seed": 7, "limit": 3}
    body |= {"budget_tokens": 5000, "use_cache": True}
    first = client.post(reverse("api:eval-run-list"), body, format="json").json()
    answer = client.post(reverse("api:eval-run-again", args=[first["id"]]))
    assert answer.status_code == 201
    again = answer.json()
    assert again["rerun_of"] == first["id"]
    for name in ("repetitions", "seed", "dataset_version", "prompt_version", "model", "use_cache", "counts"):
        assert again[name] == first[name], name
    assert again["counts"]["total"] == 6
    assert again["budget"]["tokens"] == 5000
    runs = EvalRun.objects.order_by("number")
    assert runs[0].plan["metrics"] == runs[1].plan["metrics"]
    assert runs[0].plan["examples"] == runs[1].plan["examples"]


def test_a_run_is_run_again_from_its_page(
    project: Project, client_as: ClientAs, asked: dict[str, Any], api_client: Api
) -> None:
    first = api_client(Role.EDITOR).post(reverse("api:eval-run-list"), asked | {"seed": 3}, format="json")
    number = first.json()["number"]
    EvalRun.objects.update(status="completed")
    client = client_as(Role.EDITOR)
    page = client.get(reverse("evaluations:run-detail", args=[project.slug, number])).content.decode()
    assert "Run again" in page
    moved = client.post(reverse("evaluations:run-again", args=[project.slug, number]))
    assert moved.status_code == 302
    page = client.get(moved["Location"]).content.decode()
    assert f"the plan of #{number}" in page
    assert "<dt>Seed</dt><dd>3</dd>" in page


def test_a_paused_run_goes_on_with_a_budget_raised_on_its_page(
    project: Project, client_as: ClientAs, asked: dict[str, Any], api_client: Api
) -> None:
    body = asked | {"budget_usd": "0.5", "budget_tokens": 10}
    made = api_client(Role.EDITOR).post(reverse("api:eval-run-list"), body, format="json").json()
    EvalRun.objects.update(status="paused")
    client = client_as(Role.EDITOR)
    page = client.get(reverse("evaluations:run-detail", args=[project.slug, made["number"]]))
    assert 'name="budget_tokens"' in page.content.decode()
    assert "Tokens left" in page.content.decode()
    url = reverse("evaluations:run-resume", args=[project.slug, made["number"]])
    assert client.post(url, {"budget_usd": "2", "budget_tokens": "few"}).status_code == 400
    assert client.post(url, {"budget_usd": "2", "budget_tokens": "2000"}).status_code == 302
    run = EvalRun.objects.get()
    assert (run.status, run.budget_usd, run.budget_tokens) == ("pending", 2, 2000)
