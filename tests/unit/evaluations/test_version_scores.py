"""On a prompt's page: one row a version with its offline score, cost, latency, and when it was production."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.version_columns import (
    Cell,
    VersionColumn,
    version_column_register,
    version_column_remove,
)
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt, PromptVersion
from tests.factories.core import SYSTEM
from tests.factories.evaluations import (
    make_dataset_version,
    make_evaluator_version,
    make_prompt_version,
    make_run,
)
from tests.factories.prompts import make_version

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


def address(prompt: Prompt) -> str:
    return reverse("evaluations:version-scores", args=[prompt.project.slug, prompt.slug])


def three_versions(project: Project) -> tuple[Prompt, list[PromptVersion]]:
    first = make_prompt_version(project)
    others = [make_version(first.prompt, f"{{{{ question }}}} {place}") for place in (2, 3)]
    return first.prompt, [first, *others]


def run_of(version: PromptVersion, right: int, *, name: str, dataset: object = None) -> EvalRun:
    project = version.prompt.project
    kept = EvaluatorVersion.objects.filter(evaluator__project=project).first()
    evaluator = kept or make_evaluator_version(project)
    metric = evaluator.evaluator.slug
    over = dataset or make_dataset_version(project, 20, name="Sums")
    scores = {metric: [float(place < right) for place in range(20)]}
    return make_run(
        project,
        over,  # type: ignore[arg-type]
        scores=scores,
        evaluators=[evaluator],
        prompt_version=version,
        name=name,
        primary_metric=metric,
    )


def test_each_version_has_its_newest_score_with_interval_cost_and_latency(
    project: Project, client_as: ClientAs
) -> None:
    prompt, (first, second, _) = three_versions(project)
    sums = make_dataset_version(project, 20, name="Sums")
    run_of(first, 3, name="Superseded", dataset=sums)
    old = run_of(first, 10, name="Old", dataset=sums)
    new = run_of(second, 15, name="New", dataset=sums)
    page = client_as(Role.EDITOR).get(address(prompt), **HTMX).content.decode()
    assert "<html" not in page
    assert "50.0% [" in page
    assert "75.0% [" in page
    assert "Superseded" not in page
    assert "$0.0001" in page
    assert "110 ms" in page
    assert f"baseline={old.number}&amp;candidates={new.number}" in page
    assert "no finished run over Sums" in page
    assert "style=" not in page
    for column in ("Score [95% interval]", "Cost of a call", "Latency, median", "Production", "Run"):
        assert f'data-label="{column}"' in page, "on a phone each cell names its column"


def test_the_dataset_of_the_newest_run_is_shown_and_another_can_be_chosen(
    project: Project, client_as: ClientAs
) -> None:
    prompt, (first, second, _) = three_versions(project)
    run_of(first, 20, name="All", dataset=make_dataset_version(project, 20, name="Easy"))
    run_of(second, 5, name="Few", dataset=make_dataset_version(project, 20, name="Hard"))
    client = client_as(Role.VIEWER)
    scores = client.get(address(prompt)).context["scores"]
    assert [dataset.name for dataset in scores.datasets] == ["Hard", "Easy"]
    assert [row.score and row.score.run.name for row in scores.rows] == [None, "Few", None]
    easy = client.get(address(prompt), {"dataset": scores.datasets[1].slug}).context["scores"]
    assert [row.score and row.score.run.name for row in easy.rows] == [None, None, "All"]
    assert client.get(address(prompt), {"dataset": "no-such"}).status_code == 200


def limited(run: EvalRun, examples: int) -> EvalRun:
    EvalRun.objects.filter(pk=run.pk).update(total=examples)
    return run


def measured(version: PromptVersion, dataset: object, name: str, *metrics: str, primary: str = "") -> EvalRun:
    scores = {metric: [0.5] * 20 for metric in metrics}
    return make_run(
        version.prompt.project,
        dataset,  # type: ignore[arg-type]
        scores=scores,
        prompt_version=version,
        name=name,
        primary_metric=primary,
    )


def test_all_rows_show_one_metric_and_a_version_without_it_says_so(
    project: Project, client_as: ClientAs
) -> None:
    prompt, (first, second, third) = three_versions(project)
    sums = make_dataset_version(project, 20, name="Sums")
    measured(first, sums, "Both", "quality", "length")
    measured(first, sums, "Later, shorter", "length")
    measured(second, sums, "Length alone", "length")
    measured(third, sums, "Newest", "length", "quality", primary="quality")
    client = client_as(Role.VIEWER)
    response = client.get(address(prompt))
    scores = response.context["scores"]
    assert {option.key for option in scores.metrics} == {"quality (recorded)", "length (recorded)"}
    assert scores.metric.name == "quality"
    assert [row.score.run.name for row in scores.rows] == ["Newest", "Length alone", "Both"]
    assert [row.score.metric and row.score.metric.name for row in scores.rows] == ["quality", None, "quality"]
    assert "its run does not measure quality (recorded)" in response.content.decode()
    other = client.get(address(prompt), {"metric": "length (recorded)", "dataset": sums.dataset.slug})
    rows = other.context["scores"].rows
    assert [row.score.run.name for row in rows] == ["Newest", "Length alone", "Later, shorter"]
    assert {row.score.metric.name for row in rows} == {"length"}
    assert '<option value="length (recorded)" selected>' in other.content.decode()
    assert client.get(address(prompt), {"metric": "no-such"}).context["scores"].metric.name == "quality"


def test_a_run_over_all_examples_goes_before_a_newer_one_over_some(
    project: Project, client_as: ClientAs
) -> None:
    prompt, (first, second, third) = three_versions(project)
    sums = make_dataset_version(project, 20, name="Sums")
    measured(first, sums, "Whole", "quality")
    limited(measured(first, sums, "Some", "quality"), 8)
    limited(measured(second, sums, "Fewer", "quality"), 5)
    limited(measured(second, sums, "A few", "quality"), 8)
    limited(measured(third, sums, "Few", "quality"), 8)
    measured(third, sums, "Without", "length")
    response = client_as(Role.VIEWER).get(address(prompt), {"metric": "quality (recorded)"})
    rows = response.context["scores"].rows
    assert [row.score.run.name for row in rows] == ["Few", "A few", "Whole"]
    assert [row.score.part for row in rows] == [(8, 20), (8, 20), None]
    assert response.content.decode().count("8 of 20 examples") == 2


def test_who_made_a_version_production_and_when(project: Project, client_as: ClientAs) -> None:
    prompt, (first, second, _) = three_versions(project)
    for version in (first, second):
        label_set(prompt=prompt, by=SYSTEM, name="production", version=version)
    response = client_as(Role.VIEWER).get(address(prompt))
    rows = response.context["scores"].rows
    assert [(row.in_production, row.promoted is not None) for row in rows] == [
        (False, False),
        (True, True),
        (False, True),
    ]
    page = response.content.decode()
    assert "<strong>Now</strong>" in page
    assert f"by {SYSTEM.label}" in page


def test_a_prompt_without_versions_or_runs_says_what_to_do(project: Project, client_as: ClientAs) -> None:
    version = make_prompt_version(project)
    page = client_as(Role.EDITOR).get(address(version.prompt)).content.decode()
    assert "No version has been evaluated yet" in page
    PromptVersion.objects.filter(pk=version.pk).delete()
    assert "No version yet" in client_as(Role.EDITOR).get(address(version.prompt)).content.decode()


def test_many_versions_take_as_many_queries_as_few(
    project: Project, client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    prompt, versions = three_versions(project)
    sums = make_dataset_version(project, 20, name="Sums")
    run_of(versions[0], 10, name="One", dataset=sums)
    client = client_as(Role.VIEWER)
    with django_assert_num_queries(17, exact=False) as few:
        client.get(address(prompt), **HTMX)
    for place in range(5):
        run_of(make_version(prompt, f"{{{{ question }}}}, {place}"), 10, name="More", dataset=sums)
    with django_assert_num_queries(len(few.captured_queries)):
        client.get(address(prompt), **HTMX)


@pytest.fixture
def thumbs() -> Iterator[None]:
    version_column_register(
        VersionColumn(
            "thumbs", "Thumbs", lambda prompt, versions: {versions[0].pk: Cell("12 up", detail="of 14")}
        )
    )
    yield
    version_column_remove("thumbs")


@pytest.mark.usefixtures("thumbs")
def test_another_room_adds_a_column(project: Project, client_as: ClientAs) -> None:
    prompt, _ = three_versions(project)
    page = client_as(Role.VIEWER).get(address(prompt)).content.decode()
    assert "Thumbs" in page
    assert page.count("12 up") == 1
    assert page.count('data-label="Thumbs"') == 3


def test_the_prompts_page_loads_the_scores(project: Project, client_as: ClientAs) -> None:
    prompt, _ = three_versions(project)
    detail = reverse("workbench:prompt", args=[project.slug, prompt.slug])
    assert f'hx-get="{address(prompt)}"' in client_as(Role.VIEWER).get(detail).content.decode()
