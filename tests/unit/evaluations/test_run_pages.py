"""Pages of runs: what they show, who may do what, and that bad addresses are no server errors."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import EvalRun, ItemScore
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


def address(name: str, project: Project, *args: object) -> str:
    return reverse(f"evaluations:{name}", args=[project.slug, *args])


@pytest.fixture
def scored_run(project: Project) -> EvalRun:
    evaluator = make_evaluator_version(project, "exact_match", "exact_match")
    return make_run(
        project,
        make_dataset_version(project, 4),
        evaluators=[evaluator],
        outputs=["one", "two", None, "=4"],
        scores={"exact_match": [1.0, 0.0, None, 1.0]},
        name="Few-shot",
    )


def test_an_empty_list_tells_an_editor_to_start_a_run_and_a_viewer_who_can(
    project: Project, client_as: ClientAs
) -> None:
    page = client_as(Role.EDITOR).get(address("run-list", project)).content.decode()
    assert "No runs yet" in page
    assert address("run-create", project) in page
    page = client_as(Role.VIEWER).get(address("run-list", project)).content.decode()
    assert address("run-create", project) not in page


def test_the_list_shows_state_metric_and_cost_and_filters(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    other = make_run(project, status="running", name="Zero-shot")
    client = client_as(Role.VIEWER)
    page = client.get(address("run-list", project)).content.decode()
    assert "Few-shot" in page
    assert "0.667" in page
    assert "1 failed" in page
    page = client.get(address("run-list", project), {"status": "running"}).content.decode()
    assert "Zero-shot" in page
    assert "Few-shot" not in page
    page = client.get(address("run-list", project), {"q": f"#{scored_run.number}"}).content.decode()
    assert "Few-shot" in page
    assert other.name not in page


def test_the_list_takes_as_many_queries_for_many_runs_as_for_one(
    project: Project,
    client_as: ClientAs,
    scored_run: EvalRun,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_as(Role.VIEWER)
    with django_assert_num_queries(13, exact=False) as first:
        client.get(address("run-list", project))
    for _ in range(4):
        make_run(project, outputs=["a", "b", "c", "d"])
    with django_assert_num_queries(len(first.captured_queries)):
        client.get(address("run-list", project))


@pytest.mark.parametrize(
    "query",
    [
        {"after": "x", "status": "nonsense", "q": "%_\\", "prompt": "no such"},
        {"q": "9" * 300, "size": "-1"},
        {"before": "bnVsbA", "dataset": "é"},
    ],
)
def test_a_bad_address_of_the_list_is_no_server_error(
    project: Project, client_as: ClientAs, query: dict[str, str]
) -> None:
    assert client_as(Role.VIEWER).get(address("run-list", project), query).status_code == 200


def test_the_page_of_a_run_shows_plan_summary_and_results(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    page = client_as(Role.VIEWER).get(address("run-detail", project, scored_run.number)).content.decode()
    assert "0.667" in page  # two of the three that were scored
    assert "Temperature" in page
    assert "What is 2 + 1?" in page
    assert "No answer came" in page
    assert "every 1s" not in page  # nothing is awaited
    assert "Pause" not in page


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"status": "failed"}, ["q2"]),
        ({"score": "exact_match:0"}, ["q1"]),
        ({"metric": "exact_match", "low": "0.5"}, ["q0", "q3"]),
        ({"score": "exact_match:missing"}, ["q2"]),
        ({"q": "two"}, ["q1"]),
        ({"metric": "exact_match", "order": "score"}, ["q1", "q0", "q3", "q2"]),
        ({"order": "-latency"}, ["q3", "q1", "q0", "q2"]),
        ({"order": "nonsense", "low": "nan", "status": "?", "score": ":::"}, ["q0", "q1", "q2", "q3"]),
        ({"metric": "?", "after": "?", "before": "9_9_9_9"}, ["q0", "q1", "q2", "q3"]),
        ({"after": "nan_1_1"}, ["q0", "q1", "q2", "q3"]),
        ({"after": "0.0_99999999999_1"}, ["q0", "q1", "q2", "q3"]),
    ],
)
def test_results_are_filtered_and_ordered_by_the_address(
    project: Project, client_as: ClientAs, scored_run: EvalRun, query: dict[str, str], keys: list[str]
) -> None:
    response = client_as(Role.VIEWER).get(address("run-detail", project, scored_run.number), query, **HTMX)
    assert [row.item.example_key for row in response.context["rows"]] == keys


def test_results_are_paged_forwards_and_back(project: Project, client_as: ClientAs) -> None:
    run = make_run(project, make_dataset_version(project, 60), repetitions=2, outputs=["x"] * 120)
    client, url = client_as(Role.VIEWER), address("run-detail", project, run.number)
    seen, following = [], ""
    while True:
        response = client.get(url + following, **HTMX)
        seen += [(row.item.position, row.item.repetition) for row in response.context["rows"]]
        if response.context["page"].next_url is None:
            break
        following = response.context["page"].next_url
    assert seen == [(place, repetition) for place in range(1, 61) for repetition in (1, 2)]
    back = client.get(url + response.context["page"].previous_url, **HTMX)
    assert [row.item.position for row in back.context["rows"]][:2] == [26, 26]


def test_the_page_takes_as_many_queries_for_many_results_as_for_few(
    project: Project,
    client_as: ClientAs,
    scored_run: EvalRun,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_as(Role.VIEWER)
    with django_assert_num_queries(14, exact=False) as few:
        client.get(address("run-detail", project, scored_run.number))
    evaluator = make_evaluator_version(project, "exact_match", "exact_match_2")
    many = make_run(
        project,
        make_dataset_version(project, 60),
        evaluators=[evaluator],
        outputs=["x"] * 60,
        scores={"exact_match_2": [1.0] * 60},
    )
    with django_assert_num_queries(len(few.captured_queries)):
        client.get(address("run-detail", project, many.number))


def test_progress_is_polled_only_while_there_is_something_to_wait_for(
    project: Project, client_as: ClientAs
) -> None:
    client = client_as(Role.EDITOR)
    running = make_run(project, status="running")
    page = client.get(address("run-progress", project, running.number), **HTMX)
    assert b"every 1s" in page.content
    assert b"Cancel" in page.content
    assert "HX-Trigger" not in page
    paused = make_run(project, status="paused")
    page = client.get(address("run-progress", project, paused.number), **HTMX)
    assert b"every 1s" not in page.content
    assert b"Resume" in page.content
    ended = make_run(project, finalize=False)
    assert b"every 1s" in client.get(address("run-progress", project, ended.number), **HTMX).content
    settled = make_run(project)
    page = client.get(address("run-progress", project, settled.number), **HTMX)
    assert b"every 1s" not in page.content
    assert "run-settled" in page["HX-Trigger"]


def test_an_editor_pauses_resumes_and_cancels_and_a_viewer_does_not(
    project: Project, client_as: ClientAs
) -> None:
    run = make_run(project, status="running")
    assert client_as(Role.VIEWER).post(address("run-pause", project, run.number)).status_code == 403
    client = client_as(Role.EDITOR)
    for verb, status in (("pause", "paused"), ("resume", "pending"), ("cancel", "cancelled")):
        answer = client.post(address(f"run-{verb}", project, run.number))
        assert answer.headers["Location"] == address("run-detail", project, run.number)
        run.refresh_from_db()
        assert run.status == status
    refused = client.post(address("run-pause", project, run.number), **HTMX)
    assert refused.status_code == 409
    assert "is cancelled" in refused.content.decode()
    assert client.get(address("run-pause", project, run.number)).status_code == 405


def test_failed_items_are_retried_from_the_page(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    client = client_as(Role.EDITOR)
    assert b"Retry failed" in client.get(address("run-detail", project, scored_run.number)).content
    answer = client.post(address("run-retry-failed", project, scored_run.number), **HTMX)
    assert answer.status_code == 200
    assert b"every 1s" in answer.content
    assert scored_run.items.filter(status="pending").count() == 1


def test_a_result_shows_everything_about_itself(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    client = client_as(Role.VIEWER)
    item = scored_run.items.get(example_key="q1")
    url = address("run-result", project, scored_run.number, item.pk)
    drawer, page = client.get(url, **HTMX).content.decode(), client.get(url).content.decode()
    for text in ("What is 1 + 1?", "Messages as they were sent", "12 in, 3 out", "exact match", "sums"):
        assert text in drawer
        assert text in page
    assert "<html" not in drawer
    assert "exact_match" not in drawer  # called by its title, not by its slug
    failed = scored_run.items.get(example_key="q2")
    shown = client.get(address("run-result", project, scored_run.number, failed.pk), **HTMX).content.decode()
    assert "No answer in time" in shown


def test_the_distribution_comes_as_a_figure(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    client = client_as(Role.VIEWER)
    url = address("run-distribution", project, scored_run.number)
    shown = client.get(url, {"metric": "exact_match"}, **HTMX).content.decode()
    assert 'data-controller="plot"' in shown
    assert client.get(url, {"metric": "?"}, **HTMX).status_code == 200
    unscored = make_run(project, outputs=["a", "b", "c", "d"])
    shown = client.get(address("run-distribution", project, unscored.number), **HTMX).content.decode()
    assert "nothing to draw" in shown


def test_results_are_exported_with_formulas_defused(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    client = client_as(Role.VIEWER)
    scored_run.items.filter(example_key__in=("q0", "q2")).update(cost_usd=Decimal("0E-9"))
    response = client.get(address("run-export-csv", project, scored_run.number))
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["output"] for row in rows] == ["one", "two", "", "'=4"]
    assert [row["exact_match"] for row in rows] == ["1.0", "0.0", "", "1.0"]
    assert [row["cost_usd"] for row in rows] == ["0", "0.0001", "0", "0.0001"]
    response = client.get(address("run-export-jsonl", project, scored_run.number), {"status": "failed"})
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[arg-type]
    assert [json.loads(line)["key"] for line in lines] == ["q2"]
    assert json.loads(lines[0])["scores"] == []
    assert json.loads(lines[0])["cost_usd"] == "0"


def test_people_s_scores_have_columns_of_their_own_in_an_export(
    project: Project, client_as: ClientAs, scored_run: EvalRun
) -> None:
    first = scored_run.items.get(example_key="q0")
    for rater, value in (("user:1", 1.0), ("user:2", 0.0)):
        ItemScore.objects.create(item=first, metric="exact_match", source="human", rater=rater, value=value)
    ItemScore.objects.create(item=first, metric="tone", source="human", rater="user:1", label="rude")
    response = client_as(Role.VIEWER).get(address("run-export-csv", project, scored_run.number))
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["exact_match"], row["exact_match (human)"], row["tone (human)"]) == ("1.0", "0.5", "rude")
    assert "tone" not in row


def test_a_run_is_started_from_the_form(project: Project, client_as: ClientAs) -> None:
    model = make_model(project)
    prompt = make_prompt_version(project, model=model.full_name)
    dataset = make_dataset_version(project, 6, splits=("train", "test"))
    evaluator = make_evaluator_version(project, "exact_match", "exact_match")
    client = client_as(Role.EDITOR)
    query = {"prompt": prompt.prompt.slug, "version": 1, "dataset": dataset.dataset.slug}
    page = client.get(address("run-create", project), query).content.decode()
    assert "6 <span>calls" in page
    assert model.full_name in page
    posted = {
        "prompt": prompt.prompt.slug,
        "prompt_version": 1,
        "dataset": dataset.dataset.slug,
        "dataset_version": 1,
        "split": "test",
        "evaluators": [evaluator.evaluator.slug],
        "repetitions": 2,
        "filter_name": "level",
        "filter_value": "1",
    }
    answer = client.post(address("run-create", project), posted)
    run = EvalRun.objects.get()
    assert answer.headers["Location"] == address("run-detail", project, run.number)
    assert run.total == 2  # one example of the split has level 1, twice
    assert run.plan["metrics"][0]["name"] == "exact_match"


def test_what_is_wrong_with_a_new_run_is_said_at_its_field(project: Project, client_as: ClientAs) -> None:
    prompt = make_prompt_version(project, variables=["question", "tone"], model="nobody/nothing")
    dataset, empty = make_dataset_version(project, 2), make_dataset_version(project, 0)
    good = {"prompt": prompt.prompt.slug, "dataset": dataset.dataset.slug, "repetitions": 1, "name": "kept"}
    client, url = client_as(Role.EDITOR), address("run-create", project)
    assert client.post(url, {}).status_code == 422
    for changed, field in (
        ({"dataset": empty.dataset.slug}, "dataset_version"),
        ({}, "model"),
        ({"repetitions": 21}, "repetitions"),
        ({"budget_usd": "-1"}, "budget_usd"),
        ({"dataset": "gone"}, "dataset"),
        ({"prompt_version": 7}, "prompt_version"),
        ({"evaluators": ["gone"]}, "evaluators"),
        ({"name": "x" * 300}, "name"),
    ):
        response = client.post(url, good | changed)
        assert response.status_code == 422
        assert field in response.context["form"].errors, (changed, response.context["form"].errors)
    assert b"kept" in client.post(url, good).content
    model = make_model(project)
    response = client.post(url, good | {"model": model.full_name})
    assert "Lacks the input tone" in str(response.context["form"].errors["dataset"])
    assert not EvalRun.objects.exists()


def test_the_fields_follow_what_is_chosen(project: Project, client_as: ClientAs) -> None:
    prompt = make_prompt_version(project, variables=["tone"])
    dataset = make_dataset_version(project, 6, splits=("train", "test"))
    client = client_as(Role.EDITOR)
    query = {"prompt": prompt.prompt.slug, "dataset": dataset.dataset.slug, "limit": "2", "repetitions": "3"}
    shown = client.get(address("run-create", project), query, **HTMX).content.decode()
    assert "<html" not in shown
    assert "6 <span>calls" in shown
    assert "The prompt uses tone" in shown
    assert 'value="test"' in shown
    for strange in ({"prompt": "é", "limit": "9" * 30}, {"dataset": "?", "repetitions": "x"}):
        assert client.get(address("run-create", project), strange, **HTMX).status_code == 200


def test_no_page_reaches_a_run_of_another_project(
    project: Project, other_project: Project, client_as: ClientAs
) -> None:
    foreign = make_run(other_project, outputs=["a", "b", "c", "d"])
    item = foreign.items.first()
    assert item is not None
    client = client_as(Role.ADMIN)
    for name, args in (
        ("run-detail", [foreign.number]),
        ("run-progress", [foreign.number]),
        ("run-news", [foreign.number]),
        ("run-distribution", [foreign.number]),
        ("run-result", [foreign.number, item.pk]),
        ("run-export-csv", [foreign.number]),
        ("run-export-jsonl", [foreign.number]),
    ):
        assert client.get(address(name, project, *args)).status_code == 404
        assert client.get(address(name, other_project, *args)).status_code == 404
    for verb in ("pause", "resume", "cancel", "retry-failed"):
        assert client.post(address(f"run-{verb}", project, foreign.number)).status_code == 404
    ours = make_run(project, outputs=["a", "b", "c", "d"])
    assert client.get(address("run-result", project, ours.number, item.pk)).status_code == 404
    assert client.get(address("run-result", project, ours.number, uuid4())).status_code == 404
    assert client.get(address("run-detail", project, 10**12)).status_code == 404
