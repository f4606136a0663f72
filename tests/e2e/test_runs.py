"""Pages of runs renew themselves while somebody works on them: nothing that was done there may be undone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.evaluations.models import EvalRun
from tests.e2e.conftest import OpenPage
from tests.factories.core import make_member, make_project, make_user
from tests.factories.evaluations import make_dataset_version, make_model, make_prompt_version, make_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Workshop")


@pytest.fixture
def editor(project: Project) -> User:
    return make_member(project, Role.EDITOR, make_user("editor@example.com"))


@pytest.fixture
def half_done(project: Project) -> EvalRun:
    """A running run of 60 examples, the first 20 of them answered; nobody drives it."""
    run = make_run(project, make_dataset_version(project, 60), outputs=["An answer"] * 60, status="running")
    run.items.filter(position__gt=20).update(status="pending", output="", latency_ms=None, cost_usd=None)
    return run


def open_run(open_page: OpenPage, url: str, user: User, run: EvalRun, query: str = "") -> Page:
    page = open_page(url, user=user)
    page.goto(f"/p/{run.project.slug}/runs/{run.number}/{query}")
    return page


def wait_for_polls(page: Page, amount: int = 2) -> None:
    for _ in range(amount):
        with page.expect_response(lambda answer: "/progress/" in answer.url):
            pass


def answer_the_rest(run: EvalRun) -> None:
    run.items.filter(status="pending").update(status="completed", output="A late answer")


def test_a_run_is_cancelled_however_long_one_thinks_about_it(
    live_server: Any, editor: User, half_done: EvalRun, open_page: OpenPage
) -> None:
    page = open_run(open_page, live_server.url, editor, half_done)
    page.get_by_role("button", name="Cancel", exact=True).click()
    question = page.get_by_role("dialog", name=re.compile("Cancel Run"))
    expect(question.get_by_role("button")).to_have_text(["Keep it running", "Cancel the run"])
    wait_for_polls(page)
    question.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-live .run-state")).to_contain_text("Cancelled")
    expect(page.locator("#run-live .run-state")).to_contain_text("20 of 60 done, 40 cancelled")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    half_done.refresh_from_db()
    assert half_done.status == "cancelled"


def test_what_was_agreed_to_is_done_though_its_button_is_gone(
    live_server: Any, editor: User, half_done: EvalRun, open_page: OpenPage
) -> None:
    """A fragment may be swapped while the question is open, and take the button with it."""
    page = open_run(open_page, live_server.url, editor, half_done)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.evaluate("document.getElementById('run-moves').replaceChildren()")
    page.get_by_role("dialog").get_by_role("button", name="Pause the run").click()
    expect(page.locator("#run-live .run-state")).to_contain_text("Paused")
    expect(page.get_by_role("button", name="Resume")).to_have_count(1)
    half_done.refresh_from_db()
    assert half_done.status == "paused"


def test_rows_renew_themselves_and_the_reader_keeps_the_place(
    live_server: Any, editor: User, half_done: EvalRun, open_page: OpenPage
) -> None:
    page = open_run(open_page, live_server.url, editor, half_done)
    row = page.get_by_role("table", name="Results").get_by_role("row").nth(25)
    expect(row).to_contain_text("Pending")
    for _ in range(25):
        page.keyboard.press("j")
    place = page.evaluate("scrollY")
    answer_the_rest(half_done)
    expect(row).to_contain_text("A late answer")
    expect(row).to_have_attribute("data-walk-here", "")
    expect(row.get_by_role("link")).to_be_focused()
    assert page.evaluate("scrollY") == place
    EvalRun.objects.filter(pk=half_done.pk).update(status="paused")  # the last renewal is that of the table
    expect(page.locator("#run-rows")).not_to_have_attribute("hx-trigger", "every 2s")
    expect(row.get_by_role("link")).to_be_focused()


def test_where_rows_would_move_new_results_are_offered(
    live_server: Any, editor: User, half_done: EvalRun, open_page: OpenPage
) -> None:
    page = open_run(open_page, live_server.url, editor, half_done, "?status=completed")
    rows = page.get_by_role("table", name="Results").get_by_role("row")
    expect(rows).to_have_count(21)
    answer_the_rest(half_done)
    page.get_by_role("link", name="40 new results · show").click()
    expect(rows).to_have_count(51)
    expect(page.get_by_role("link", name="new results")).to_have_count(0)


def test_the_newest_choice_wins_over_a_late_answer(
    live_server: Any, project: Project, editor: User, open_page: OpenPage
) -> None:
    prompt = make_prompt_version(project, model=make_model(project).full_name)
    datasets = [make_dataset_version(project, size, name=name) for size, name in ((4, "Small"), (9, "Large"))]
    page = open_page(live_server.url, user=editor)
    small, large = (version.dataset.slug for version in datasets)
    page.goto(f"/p/{project.slug}/runs/new/?prompt={prompt.prompt.slug}&dataset={small}")
    expect(page.locator(".run-preview-count")).to_contain_text("4 calls")

    held: list[Route] = []
    page.route(f"**/runs/new/?*dataset={small}*", lambda route: held.append(route))
    with page.expect_request(f"**/runs/new/?*dataset={small}*"):
        page.get_by_label("Prompt version", exact=True).dispatch_event("change")
    page.get_by_label("Dataset", exact=True).select_option(large)
    page.get_by_label("At most", exact=True).type("7")
    expect(page.locator(".run-preview-count")).to_contain_text("9 calls")
    expect(page.get_by_label("At most", exact=True)).to_have_value("7")
    assert len(held) == 1
    held[0].continue_()
    page.keyboard.press("Tab")
    expect(page.locator(".run-preview-count")).to_contain_text("7 calls")
    expect(page.get_by_label("Dataset", exact=True)).to_have_value(large)
    expect(page.get_by_label("Dataset version", exact=True)).to_contain_text("9 examples")


def test_the_keys_of_rows_and_of_places_are_listed_and_work(
    live_server: Any, editor: User, half_done: EvalRun, open_page: OpenPage
) -> None:
    page = open_run(open_page, live_server.url, editor, half_done)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys on this page")
    for meaning in ("Next row", "Previous row", "Open the row", "Go to Runs", "Go to Datasets"):
        expect(keys).to_contain_text(meaning)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/datasets/")
