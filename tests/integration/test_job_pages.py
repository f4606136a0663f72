"""The list of jobs and the page of one: what they show, what they ask of the server, what may be done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.models import AuditEvent
from apps.core.roles import Role
from apps.training.models import FineTuningJob, LogLine, MetricPoint, ModelMeasurement
from tests.factories.evaluations import make_comparison, make_run
from tests.factories.training import (
    make_checkpoint,
    make_job,
    make_log,
    make_model_version,
    make_points,
    make_samples,
    make_training_version,
    make_trial,
)

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def url_of(job: FineTuningJob, rest: str = "") -> str:
    return f"/p/{job.project.slug}/fine-tuning/{job.number}/{rest}"


@pytest.fixture
def rows(project):
    return make_training_version(project, "dpo")


@pytest.fixture
def running(project, rows):
    job = make_job(
        project,
        method="dpo",
        status="running",
        dataset_version=rows,
        progress={"stage": "training", "step": 30, "steps": 120, "seconds_left": 300},
        lease_until=timezone.now() + timedelta(minutes=5),
    )
    make_points(job, 30, of=120)
    make_samples(job, [0, 10, 20])
    make_checkpoint(job, 10, pruned_at=timezone.now())
    make_checkpoint(job, 20, is_best=True)
    make_log(job, ["Training.", "<b>step</b> 30"])
    return job


def test_the_list_filters_and_links(client_as, project, rows):
    for status in ("running", "completed", "failed"):
        make_job(project, name=f"Job {status}", status=status, dataset_version=rows)
    make_points(FineTuningJob.objects.get(status="completed"), 5)
    client = client_as(Role.VIEWER)
    page = client.get(f"/p/{project.slug}/fine-tuning/").content.decode()
    assert 'hx-trigger="every 3s"' in page
    assert page.count('id="job-') == 4  # the table's and three rows'
    found = client.get(f"/p/{project.slug}/fine-tuning/?status=completed&q=job").content.decode()
    assert "Job completed" in found
    assert "Job failed" not in found
    assert "every 3s" not in found
    assert "No job matches" in client.get(f"/p/{project.slug}/fine-tuning/?q=nothing\x00").content.decode()


def test_an_empty_list_says_what_to_do(client_as, project):
    assert "New job" in client_as(Role.EDITOR).get(f"/p/{project.slug}/fine-tuning/").content.decode()
    assert "An editor" in client_as(Role.VIEWER).get(f"/p/{project.slug}/fine-tuning/").content.decode()


def test_queries_of_the_list_do_not_grow(client_as, project, rows, django_assert_max_num_queries):
    client = client_as(Role.VIEWER)
    for _ in range(12):
        make_points(make_job(project, status="completed", dataset_version=rows), 2)
    with django_assert_max_num_queries(8):
        assert client.get(f"/p/{project.slug}/fine-tuning/").status_code == 200


def test_the_page_of_a_job_that_trains(client_as, running, django_assert_max_num_queries):
    client = client_as(Role.EDITOR)
    with django_assert_max_num_queries(26):
        page = client.get(url_of(running)).content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert "about 5 min left" in page
    assert page.count('data-controller="plot"') == 7
    assert "The margin grows" in page
    assert "&lt;b&gt;step&lt;/b&gt; 30" in page
    assert "Answer 1 as of step 20." in page
    assert "Removed to save room" in page
    assert "Stop and keep" in page
    assert "Register<" not in page
    assert "style=" not in page.split("<main")[1]


def test_nothing_is_sent_while_nothing_changed(client_as, running, django_assert_max_num_queries):
    client = client_as(Role.VIEWER)
    seen = client.get(url_of(running)).context["query"]
    with django_assert_max_num_queries(12):
        assert client.get(url_of(running, f"?{seen}"), **HTMX).status_code == 204
    LogLine.objects.create(job=running, text="step 31")
    answer = client.get(url_of(running, f"?{seen}"), **HTMX)
    assert "step 31" in answer.content.decode()
    assert b"<html" not in answer.content
    assert answer.context["query"] != seen


def test_answers_of_an_earlier_step_stay_chosen(client_as, running):
    page = client_as(Role.VIEWER).get(url_of(running, "?samples=10"))
    assert "Answer 1 as of step 10." in page.content.decode()
    assert page.context["query"].endswith("samples=10")


def test_a_job_that_failed_says_why_and_what_is_left(client_as, project, rows):
    job = make_job(
        project,
        status="failed",
        dataset_version=rows,
        status_reason="The device ran out of memory at step 12.",
        failure={"kind": "out_of_memory", "advice": ["Halve the batch size."], "usable": "Checkpoint 10."},
    )
    checkpoint = make_checkpoint(job, 10)
    client = client_as(Role.EDITOR)
    page = client.get(url_of(job)).content.decode()
    assert "ran out of memory" in page
    assert "Halve the batch size." in page
    assert "every 2s" not in page
    answer = client.post(url_of(job, f"register/{checkpoint.pk}/"), follow=True)
    assert "Registration of <strong>step 10 of" in answer.content.decode()
    assert AuditEvent.objects.filter(action="fine_tuning_job.register_checkpoint").exists()
    assert client.post(url_of(job, "retry/"), **HTMX).status_code == 200
    job.refresh_from_db()
    assert job.status == "pending"


def test_stopping_asks_the_worker(client_as, running):
    client = client_as(Role.EDITOR)
    answer = client.post(url_of(running, "stop/"), {"keep": "1"}, **HTMX).content.decode()
    running.refresh_from_db()
    assert (running.status, running.stop_requested) == ("stopping", "keep")
    assert "Finishing its step" in answer
    assert 'id="job-actions" hx-swap-oob="outerMorph"' in answer
    assert ">Stop and keep<" not in answer
    client.post(url_of(running, "stop/"), {"keep": "0"})
    running.refresh_from_db()
    assert running.stop_requested == "cancel"


def test_a_lost_worker_and_an_empty_queue_are_told(client_as, project, running):
    client = client_as(Role.VIEWER)
    FineTuningJob.objects.filter(pk=running.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    assert "has not been heard of since" in client.get(url_of(running)).content.decode()
    waiting = make_job(project, status="pending", dataset_version=running.dataset_version)
    page = client.get(url_of(waiting)).content.decode()
    assert "No worker that trains is running" in page
    assert "job-chart" not in page


def test_who_saw_it_being_measured_is_taken_to_the_comparison(client_as, project, rows):
    version = make_model_version(project)
    job = make_job(
        project, status="completed", dataset_version=rows, version=version, evaluation={"split": ""}
    )
    client = client_as(Role.VIEWER)
    measurement = ModelMeasurement.objects.create(version=version, status="running", author_label="a")
    being = client.get(url_of(job))
    assert "Being measured against its base" in being.content.decode()
    base, run = make_run(project), make_run(project)
    comparison = make_comparison(project, base, run, compute=False)
    measurement.status, measurement.verdict, measurement.comparison = "completed", "passed", comparison
    measurement.save()
    done = client.get(url_of(job, f"?{being.context['query']}"), **HTMX).content.decode()
    assert f'data-forward-url-value="/p/{project.slug}/comparisons/{comparison.number}/"' in done
    assert "every 2s" not in done
    later = client.get(url_of(job)).content.decode()
    assert "data-forward-url-value" not in later
    assert "Compare with the base" in later


def test_tries_of_a_sweep(client_as, project, rows):
    job = make_job(
        project,
        method="dpo",
        status="running",
        dataset_version=rows,
        sweep={"trials": 4, "steps": 10, "objective": "rewards/margins", "space": {}},
        progress={"trial": 3, "stage": "training", "step": 5, "steps": 10},
    )
    for number, value in ((1, 0.1), (2, 0.4)):
        make_trial(job, number, value)
    make_trial(job, 3)
    make_points(job, 5, of=10, trial=3)
    page = client_as(Role.VIEWER).get(url_of(job))
    assert "Try 3 of 4: training" in page.content.decode()
    assert page.context["live"].best_trial == 2
    assert len(page.context["live"].charts[0].figure["data"][0]["x"]) == 5


def test_a_long_training_is_read_in_part(client_as, running, monkeypatch):
    monkeypatch.setattr("apps.training.watching.live.MOST_READ", 10)
    MetricPoint.objects.filter(job=running, step=7).update(attempt=2)
    page = client_as(Role.VIEWER).get(url_of(running))
    loss, *_, measured = page.context["live"].charts[0].figure["data"]
    assert 0 < len(loss["x"]) < 12
    assert measured["x"] == [10, 20, 30]


def test_the_whole_log_is_a_file(client_as, running):
    answer = client_as(Role.VIEWER).get(url_of(running, "log.txt"))
    assert answer["Content-Disposition"].startswith("attachment")
    assert b"<b>step</b> 30\n" in b"".join(answer.streaming_content)


def test_a_draft_is_planned_by_those_who_may(client_as, project, rows):
    draft = make_job(project, dataset_version=rows)
    assert client_as(Role.EDITOR).get(url_of(draft)).url.endswith("/plan/")
    assert client_as(Role.VIEWER).get(url_of(draft)).status_code == 200


def test_rest_reads_all_of_it(api_client, running):
    client = api_client(Role.VIEWER)
    root = "/api/v1/fine-tuning-jobs/"
    assert client.get(f"{root}?status=work&method=dpo").json()["results"][0]["number"] == running.number
    job = client.get(f"{root}{running.number}/").json()
    assert job["progress"]["step"] == 30
    assert job["environment"]["packages"]["torch"]
    points = client.get(f"{root}{running.number}/points/?limit=20").json()
    assert [point["step"] for point in points["results"]] == list(range(1, 21))
    rest = client.get(points["next"]).json()["results"]
    assert [point["step"] for point in rest] == list(range(21, 31))
    assert client.get(f"{root}{running.number}/points/?trial=-1").status_code == 400
    assert client.get(f"{root}{running.number}/log/").json()["results"][0]["text"] == "<b>step</b> 30"
    assert len(client.get(f"{root}{running.number}/samples/").json()["results"]) == 6
    assert [row["step"] for row in client.get(f"{root}{running.number}/checkpoints/").json()["results"]] == [
        10,
        20,
    ]
    assert client.get(f"{root}{running.number}/trials/").json()["results"] == []
    assert client.get(f"{root}999/").status_code == 404


def test_rest_stops_and_goes_on(api_client, running):
    root = f"/api/v1/fine-tuning-jobs/{running.number}/"
    assert api_client(Role.VIEWER).post(f"{root}stop/").status_code == 403
    client = api_client(Role.EDITOR)
    assert client.post(f"{root}stop/", {"keep": False}, format="json").json()["stop_requested"] == "cancel"
    assert client.post(f"{root}retry/").status_code == 409
    FineTuningJob.objects.filter(pk=running.pk).update(status="cancelled")
    assert client.post(f"{root}retry/").json()["status"] == "pending"
