"""Pages of comparisons: verdict and figures, examples side by side, who may make one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing import making
from apps.evaluations.models import Comparison, EvalRun
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


def address(name: str, project: Project, *args: object) -> str:
    return reverse(f"evaluations:{name}", args=[project.slug, *args])


def make_pair(project: Project, size: int = 40, repetitions: int = 1) -> tuple[EvalRun, EvalRun]:
    """Two runs over `size` examples: the first is right on every fourth, the second on all but the first two.

    The first output of the second run is missing; of the rest, the outputs agree where both are right.
    """
    version = make_dataset_version(project, size)
    number = EvalRun.objects.filter(project=project).count()
    evaluator = make_evaluator_version(project, "exact_match", f"exact_match_{number}")
    metric, places = evaluator.evaluator.slug, range(size * repetitions)
    first = [1.0 if place % 4 == 0 else 0.0 for place in places]
    second = [None if place == 0 else 0.0 if place == 4 else 1.0 for place in places]
    baseline = make_run(
        project,
        version,
        evaluators=[evaluator],
        repetitions=repetitions,
        outputs=["right" if value else "a wrong answer" for value in first],
        scores={metric: first},
        name="Zero-shot",
    )
    candidate = make_run(
        project,
        version,
        evaluators=[evaluator],
        repetitions=repetitions,
        outputs=[None if value is None else "right" if value else "wrong answer" for value in second],
        scores={metric: second},
        name="Few-shot",
    )
    return baseline, candidate


@pytest.fixture
def comparison(project: Project) -> Comparison:
    baseline, candidate = make_pair(project)
    return make_comparison(project, baseline, candidate, primary=baseline.plan["metrics"][0]["name"])


def test_the_page_says_which_is_better_by_how_much_and_how_sure(
    client_as: ClientAs, comparison: Comparison
) -> None:
    url = address("comparison-detail", comparison.project, comparison.number)
    page = client_as(Role.VIEWER).get(url).content.decode()
    assert "Few-shot is better than Zero-shot" in page
    assert "Latency of a call" in page
    assert "30 won" in page
    assert "1 lost" in page
    assert "every 1s" not in page
    assert "style=" not in page


def test_the_page_takes_as_many_queries_for_many_rows_as_for_few(
    project: Project,
    client_as: ClientAs,
    comparison: Comparison,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_as(Role.VIEWER)
    with django_assert_num_queries(15, exact=False) as few:
        client.get(address("comparison-detail", project, comparison.number))
    baseline, candidate = make_pair(project, size=90)
    many = make_comparison(project, baseline, candidate, primary=baseline.plan["metrics"][0]["name"])
    with django_assert_num_queries(len(few.captured_queries)):
        client.get(address("comparison-detail", project, many.number))
    with django_assert_num_queries(9, exact=False):
        client.get(address("comparison-list", project))


def test_a_comparison_that_is_not_computed_yet_says_so_and_polls(
    project: Project, client_as: ClientAs
) -> None:
    version = make_dataset_version(project, 4)
    baseline = make_run(project, version, outputs=["a"] * 4)
    running = make_run(project, version, status="running", name="Slow one")
    comparison = make_comparison(project, baseline, running, compute=False)
    client = client_as(Role.VIEWER)
    page = client.get(address("comparison-detail", project, comparison.number)).content.decode()
    assert "the figures come when" in page
    assert "Slow one" in page
    assert "every 1s" in page
    summary = client.get(address("comparison-summary", project, comparison.number), **HTMX)
    assert b"every 1s" in summary.content
    assert "HX-Trigger" not in summary
    EvalRun.objects.filter(pk=running.pk).update(status="completed", finalized_at=timezone.now())
    with pytest.MonkeyPatch.context() as broken:
        broken.setitem(making.MAKERS, "metrics", lambda *parts: 1 // 0)
        making.figures_make(comparison.pk, baseline.pk, "metrics", "")
    summary = client.get(address("comparison-summary", project, comparison.number), **HTMX)
    assert b"could not be computed" in summary.content
    assert b"every 1s" not in summary.content
    assert "run-settled" in summary["HX-Trigger"]


def test_runs_without_a_shared_metric_are_compared_by_their_texts(
    project: Project, client_as: ClientAs
) -> None:
    version = make_dataset_version(project, 3)
    first = make_run(project, version, outputs=["a", "b", "c"])
    second = make_run(project, version, outputs=["a", "x", None])
    comparison = make_comparison(project, first, second)
    client = client_as(Role.VIEWER)
    page = client.get(address("comparison-detail", project, comparison.number)).content.decode()
    assert "share no metric" in page


def test_a_comparison_is_made_from_the_runs_that_were_ticked(project: Project, client_as: ClientAs) -> None:
    baseline, candidate = make_pair(project)
    foreign = make_run(project, name="Other dataset")
    client, url = client_as(Role.EDITOR), address("comparison-create", project)
    form = client.get(url, {"run": [candidate.number, baseline.number]}).context["form"]
    assert form["baseline"].value() == str(baseline.number)
    assert form["candidates"].value() == [str(candidate.number)]
    assert str(foreign.number) not in dict(form.fields["candidates"].choices)
    posted = {"baseline": baseline.number, "candidates": [candidate.number], "name": "Which prompt?"}
    answer = client.post(url, posted)
    made = Comparison.objects.get()
    assert answer.headers["Location"] == address("comparison-detail", project, made.number)
    assert made.name == "Which prompt?"
    assert made.primary_metric == baseline.plan["metrics"][0]["name"]
    for wrong, field in (
        ({}, "baseline"),
        ({"baseline": baseline.number}, "candidates"),
        ({"baseline": baseline.number, "candidates": [foreign.number]}, "candidates"),
        ({"baseline": "x", "candidates": ["y"]}, "baseline"),
        (posted | {"primary_metric": "made up"}, "primary_metric"),
    ):
        response = client.post(url, wrong)
        assert response.status_code == 422
        assert field in response.context["form"].errors
    fields = client.get(url, {"baseline": foreign.number}, **HTMX).content.decode()
    assert "No other run" in fields
    assert "<html" not in fields
    assert client.get(url, {"baseline": "é" * 300, "run": ["x", "9" * 30]}).status_code == 200


def test_a_candidate_made_the_baseline_changes_places_with_the_old_one(
    project: Project, client_as: ClientAs
) -> None:
    version = make_dataset_version(project)
    first, second, third = (make_run(project, version, name=name) for name in ("One", "Two", "Three"))
    client, url = client_as(Role.EDITOR), address("comparison-create", project)
    page = client.get(url, {"baseline": first.number}).content.decode()
    assert f'name="previous" value="{first.number}"' in page
    assert "Better chosen before the runs" in page
    for candidates, chosen, ticked in (
        ([second], second, [first]),
        ([second, third], second, [first, third]),
        ([second, third], first, [second, third]),
        ([third], second, [third]),  # it was no candidate: nothing takes a place
        ([], second, []),
    ):
        asked = {
            "baseline": chosen.number,
            "previous": first.number,
            "candidates": [run.number for run in candidates],
        }
        form = client.get(url, asked, **HTMX).context["form"]
        assert form["candidates"].value() == [str(run.number) for run in ticked]
    assert client.get(url, {"baseline": first.number, "previous": "é" * 99}).status_code == 200


def test_a_viewer_reads_and_an_editor_makes(project: Project, client_as: ClientAs) -> None:
    viewer, editor = client_as(Role.VIEWER), client_as(Role.EDITOR)
    assert viewer.get(address("comparison-create", project)).status_code == 403
    page = viewer.get(address("comparison-list", project)).content.decode()
    assert "No comparisons yet" in page
    assert address("comparison-create", project) not in page
    assert (
        address("comparison-create", project)
        in editor.get(address("comparison-list", project)).content.decode()
    )


def test_the_list_shows_verdicts_and_is_searched(client_as: ClientAs, comparison: Comparison) -> None:
    client, url = client_as(Role.VIEWER), address("comparison-list", comparison.project)
    assert "Few-shot is better than Zero-shot" in client.get(url).content.decode()
    assert comparison.name in client.get(url, {"q": "few-shot"}).content.decode()
    assert "Nothing matches" in client.get(url, {"q": "no such words", "after": "?"}).content.decode()


def test_no_page_reaches_a_comparison_of_another_project(
    project: Project, other_project: Project, client_as: ClientAs
) -> None:
    baseline, candidate = make_pair(other_project, size=4)
    foreign = make_comparison(other_project, baseline, candidate)
    item = baseline.items.first()
    assert item is not None
    client = client_as(Role.ADMIN)
    for name, args in (
        ("comparison-detail", [foreign.number]),
        ("comparison-summary", [foreign.number]),
        ("comparison-example", [foreign.number, item.example_id]),
    ):
        assert client.get(address(name, project, *args)).status_code == 404
        assert client.get(address(name, other_project, *args)).status_code == 404
    form = client.get(address("comparison-create", project), {"baseline": baseline.number}).context["form"]
    assert form.baseline_run is None
