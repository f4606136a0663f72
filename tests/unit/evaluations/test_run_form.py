"""The form of a new run: what it offers, and what it says before anything is run."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import EvalRun
from tests.factories.evaluations import (
    make_dataset_version,
    make_evaluator_version,
    make_model,
    make_prompt_version,
    make_run,
)

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def url(project: Project) -> str:
    return reverse("evaluations:run-create", args=[project.slug])


def test_an_empty_dataset_is_marked_told_and_refused(project: Project, client_as: ClientAs, url: str) -> None:
    model = make_model(project)
    prompt = make_prompt_version(project, model=model.full_name)
    empty, full = make_dataset_version(project, 0, name="Bare"), make_dataset_version(project, 2, name="Full")
    client = client_as(Role.EDITOR)
    chosen = {"prompt": prompt.prompt.slug, "dataset": empty.dataset.slug}
    page = client.get(url, chosen).content.decode()
    assert "Bare · no examples" in page
    assert f'value="{full.dataset.slug}">Full<' in page
    assert "This dataset version has no examples." in page
    assert "0 <span>calls" in page
    assert "The prompt uses" not in page  # nothing is known of an empty dataset's columns
    refused = client.post(url, chosen | {"repetitions": 1})
    assert refused.status_code == 422
    assert "has no examples" in str(refused.context["form"].errors["dataset_version"])
    assert not EvalRun.objects.exists()


def test_models_are_chosen_from_a_list_by_provider(project: Project, client_as: ClientAs, url: str) -> None:
    own, other = make_model(project), make_model(project)
    prompt = make_prompt_version(project, model=own.full_name)
    dataset = make_dataset_version(project, 2)
    client = client_as(Role.EDITOR)
    chosen = {"prompt": prompt.prompt.slug, "dataset": dataset.dataset.slug}
    page = client.get(url, chosen).content.decode()
    assert f"The prompt&#x27;s own: {own.full_name}" in page
    group = re.search(rf'<optgroup label="{other.provider.name}">(.*?)</optgroup>', page, re.DOTALL)
    assert group
    assert f'<option value="{other.full_name}">{other.name}</option>' in group[1]
    assert client.post(url, chosen | {"model": other.full_name, "repetitions": 1}).status_code == 302
    assert EvalRun.objects.get().model_name == other.full_name


def test_a_model_that_nobody_listed_stays_chosen(project: Project, client_as: ClientAs, url: str) -> None:
    page = client_as(Role.EDITOR).get(url, {"model": "elsewhere/new"}).content.decode()
    assert '<option value="elsewhere/new" selected>elsewhere/new</option>' in page


def test_a_choice_draws_anew_only_what_follows_from_it(
    project: Project, client_as: ClientAs, url: str
) -> None:
    dataset = make_dataset_version(project, 6, splits=("train", "test"))
    shown = client_as(Role.EDITOR).get(url, {"dataset": dataset.dataset.slug}, **HTMX).content.decode()
    drawn = set(re.findall(r'name="(\w+)"', shown))
    assert drawn == {"prompt_version", "dataset_version", "split", "filter_name", "filter_value", "model"}
    assert shown.count('hx-sync="#run-fields:replace"') == len(drawn)


def test_the_primary_metric_is_one_of_the_ticked_evaluators(
    project: Project, client_as: ClientAs, url: str
) -> None:
    model = make_model(project)
    prompt, dataset = make_prompt_version(project, model=model.full_name), make_dataset_version(project, 2)
    slugs = [make_evaluator_version(project).evaluator.slug for _ in range(2)]
    client = client_as(Role.EDITOR)
    chosen = {"prompt": prompt.prompt.slug, "dataset": dataset.dataset.slug, "evaluators": [slugs[0]]}
    shown = client.get(url, chosen, **HTMX).content.decode()
    select = re.search(r'<select name="primary_metric".*?</select>', shown, re.DOTALL)
    assert select
    assert f'value="{slugs[0]}"' in select[0]
    assert slugs[1] not in select[0]
    refused = client.post(url, chosen | {"repetitions": 1, "primary_metric": slugs[1]})
    assert "primary_metric" in refused.context["form"].errors
    assert client.post(url, chosen | {"repetitions": 1, "primary_metric": slugs[0]}).status_code == 302
    run = EvalRun.objects.get()
    assert run.plan["primary_metric"] == slugs[0]
    page = client.get(reverse("evaluations:run-detail", args=[project.slug, run.number])).content.decode()
    assert f"{slugs[0].replace('_', ' ')}, chosen before the run" in page
    assert "badge-primary" in page


def test_rest_refuses_a_primary_metric_that_nothing_measures(
    project: Project, api_client: Callable[[Role], APIClient]
) -> None:
    model = make_model(project)
    prompt, dataset = make_prompt_version(project, model=model.full_name), make_dataset_version(project, 2)
    slug = make_evaluator_version(project).evaluator.slug
    client = api_client(Role.EDITOR)
    asked = {"dataset": dataset.dataset.slug, "prompt": prompt.prompt.slug, "evaluators": [slug]}
    address = reverse("api:eval-run-list")
    refused = client.post(address, asked | {"primary_metric": "made up"}, format="json")
    assert refused.status_code == 400
    assert "primary_metric" in refused.json()["errors"]
    made = client.post(address, asked | {"primary_metric": slug}, format="json")
    assert made.json()["primary_metric"] == slug
    assert client.post(address, asked, format="json").json()["primary_metric"] is None


def test_the_list_of_runs_shows_the_primary_metric(project: Project, client_as: ClientAs) -> None:
    evaluators = [make_evaluator_version(project) for _ in range(2)]
    scores = {each.evaluator.slug: [float(place), 0.0] for place, each in enumerate(evaluators)}
    dataset = make_dataset_version(project, 2)
    for primary in ("", evaluators[1].evaluator.slug):
        make_run(project, dataset, evaluators=evaluators, scores=scores, primary_metric=primary)
    rows = client_as(Role.VIEWER).get(reverse("evaluations:run-list", args=[project.slug])).context["rows"]
    assert [metric.name for _, _, _, metric in rows] == [
        evaluators[1].evaluator.slug,
        evaluators[0].evaluator.slug,
    ]
