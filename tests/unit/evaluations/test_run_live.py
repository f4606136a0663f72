"""The parts of a run's page that renew themselves: its buttons, its progress, its results."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import EvalRun
from apps.evaluations.run_moves import eval_run_cancel
from apps.evaluations.selectors import counts_of
from apps.evaluations.templatetags.evaluations import ms_signed, plain_decimal, time_left
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version, make_run

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


def address(name: str, run: EvalRun) -> str:
    return reverse(f"evaluations:{name}", args=[run.project.slug, run.number])


@pytest.fixture
def half_done(project: Project) -> EvalRun:
    """A running run with 3 of 5 answered."""
    run = make_run(project, make_dataset_version(project, 5), outputs=["x"] * 5, status="running")
    for item in run.items.order_by("position")[3:]:
        item.status = "pending"
        item.save()
    return run


def test_the_buttons_come_along_only_when_the_state_is_another(
    half_done: EvalRun, client_as: ClientAs
) -> None:
    client = client_as(Role.EDITOR)
    same = client.get(address("run-progress", half_done), {"shown": "running"}, **HTMX).content.decode()
    assert "shown=running" in same
    assert "run-moves" not in same
    other = client.get(address("run-progress", half_done), {"shown": "pending"}, **HTMX).content.decode()
    assert '<div class="run-moves" id="run-moves" hx-swap-oob="outerHTML">' in other
    assert "Keep it running" in other
    assert "Cancel the run" in other
    viewer = client_as(Role.VIEWER).get(address("run-progress", half_done), **HTMX).content.decode()
    assert "run-moves" not in viewer


def test_what_was_cancelled_is_not_done(half_done: EvalRun, client_as: ClientAs) -> None:
    eval_run_cancel(run=half_done, by=SYSTEM)
    half_done.refresh_from_db()
    counts = counts_of([half_done])[half_done.pk]
    assert (counts.done, counts.cancelled, counts.total) == (3, 2, 5)
    client = client_as(Role.VIEWER)
    page = client.get(address("run-detail", half_done)).content.decode()
    assert "3 of 5 done, 2 cancelled" in page
    assert 'value="60" max="100"' in page
    runs = client.get(reverse("evaluations:run-list", args=[half_done.project.slug])).content.decode()
    assert "3 / 5" in runs
    assert "2 cancelled" in runs


def test_rows_renew_themselves_in_the_datasets_order_only(half_done: EvalRun, client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    page = client.get(address("run-detail", half_done)).content.decode()
    assert 'hx-select="#run-rows > tr"' in page
    assert "run-news" not in page
    slowest = client.get(address("run-detail", half_done), {"order": "-latency"}).content.decode()
    assert "#run-rows > tr" not in slowest
    assert "news/?seen=3" in slowest


def test_news_say_how_many_results_came_since(half_done: EvalRun, client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    assert "2 new results" in client.get(address("run-news", half_done), {"seen": "1"}).content.decode()
    for seen in ("3", "99", "x", "9" * 30, "-1"):
        news = client.get(address("run-news", half_done), {"seen": seen})
        assert news.status_code == 200
        assert "new result" not in news.content.decode()


def test_nothing_is_renewed_when_the_run_has_settled(project: Project, client_as: ClientAs) -> None:
    run = make_run(project, outputs=["a", "b", "c", "d"])
    client = client_as(Role.VIEWER)
    for query in ({}, {"order": "-latency"}):
        assert "every 2s" not in client.get(address("run-detail", run), query).content.decode()


def test_a_budget_reads_as_it_was_typed() -> None:
    assert [plain_decimal(Decimal(text)) for text in ("5.000000", "0.250000", "100")] == ["5", "0.25", "100"]


def test_times_read_as_a_person_would_say_them() -> None:
    assert time_left(0.727) == "less than a second left"
    assert time_left(4.4) == "about 4 s left"
    assert ms_signed(-0.2) == "0 ms"
    assert ms_signed(0.2) == "0 ms"
    assert ms_signed(-812) == "\N{MINUS SIGN}812 ms"
