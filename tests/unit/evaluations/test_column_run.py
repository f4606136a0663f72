"""The page that scores outputs which a dataset holds already."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import EvalRun
from tests.factories.evaluations import make_dataset_version, make_evaluator_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(project: Project) -> str:
    return reverse("evaluations:run-column", args=[project.slug])


def test_first_the_dataset_is_chosen_then_the_column(
    project: Project, address: str, client_as: Callable[[Role], Client]
) -> None:
    version = make_dataset_version(project, 3)
    client = client_as(Role.EDITOR)

    assert "Show its columns" in client.get(address).content.decode()

    page = client.get(address, {"dataset": version.dataset.slug}).content.decode()
    for column in [*version.columns["inputs"], *version.columns["metadata"]]:
        assert f'<option value="{column}">' in page


def test_the_column_becomes_a_run_that_is_scored(
    project: Project, address: str, client_as: Callable[[Role], Client]
) -> None:
    version = make_dataset_version(project, 3)
    evaluator = make_evaluator_version(project, "exact_match", "exact_match").evaluator.slug
    column = version.columns["inputs"][0]

    answer = client_as(Role.EDITOR).post(
        f"{address}?dataset={version.dataset.slug}",
        {"output_column": column, "evaluators": [evaluator], "name": "Theirs"},
    )

    run = EvalRun.objects.get(project=project)
    assert answer.status_code == 302
    assert run.recorded
    assert run.plan["output_column"] == column
    assert set(run.items.values_list("status", flat=True)) == {"answered"}


def test_a_column_that_is_not_there_is_refused_at_its_field(
    project: Project, address: str, client_as: Callable[[Role], Client]
) -> None:
    version = make_dataset_version(project, 3)

    answer = client_as(Role.EDITOR).post(
        f"{address}?dataset={version.dataset.slug}", {"output_column": "nothing", "name": ""}
    )

    assert answer.status_code == 422
    assert not EvalRun.objects.filter(project=project).exists()
