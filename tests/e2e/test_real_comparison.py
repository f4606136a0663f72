"""A comparison of four published systems over GSM8K, as somebody who has to decide would walk it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import PairVote
from apps.prompts.models import PromptLabel
from tests.e2e.conftest import OpenPage
from tests.e2e.test_deciding import press_to_vote
from tests.factories.core import make_api_key, make_member, make_project, make_user
from tests.live_stack import LiveStack
from tests.real_data import RecordedSystems, gsm8k_solutions

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.real_data]
LARGER, BEST, SMALLER = "175b_finetuning", "175b_verification", "6b_verification"


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Maths")


@pytest.fixture
def comparison(live_stack: LiveStack, project: Project) -> dict[str, Any]:
    """The larger fine-tuned system against the three others, over all 1,319 questions."""
    rows = gsm8k_solutions()
    _, key = make_api_key(project, Role.ADMIN)
    systems = RecordedSystems(live_stack.url, key)
    runs = systems.record(rows)
    return systems.compare(runs[LARGER], [runs[BEST], runs[SMALLER], runs["6b_finetuning"]])


def test_from_the_verdict_to_the_decision(
    live_stack: LiveStack,
    project: Project,
    comparison: dict[str, Any],
    open_page: OpenPage,
    browser: Browser,
    tmp_path: Path,
) -> None:
    user = make_member(project, Role.APPROVER, make_user("approver@example.com"))
    page = open_page(live_stack.url, user=user)
    here = f"/p/{project.slug}/comparisons/1/"
    page.goto(here)
    read_the_verdict(page)
    read_the_smaller_difference(page)
    find_where_it_is_worse(page)
    vote_without_names(page, here)
    decide(page, here)
    report = keep_the_report(page, here, tmp_path)
    open_it_offline(browser, report)


def read_the_verdict(page: Page) -> None:
    summary = page.locator("#comparison-summary")
    expect(summary).to_contain_text(f"{BEST} is better than {LARGER} on Right answer.")
    expect(summary).to_contain_text("+21.5 points")


def read_the_smaller_difference(page: Page) -> None:
    """The published figures: +4.3 points, p 0.003 without correction; it stays under 0.05 with it."""
    page.get_by_role("link", name=SMALLER, exact=True).click()
    summary = page.locator("#comparison-summary")
    expect(summary).to_contain_text(f"{SMALLER} is better than {LARGER} on Right answer.")
    card = page.locator(".metric-card").filter(has_text="Right answer")
    expect(card).to_contain_text("+4.3 points")
    expect(card).to_contain_text("[+1.5, +7.1]")
    expect(card).to_contain_text("p 0.003")
    expect(card).to_contain_text(re.compile(r"209 won.*958 tied.*152 lost"))


def find_where_it_is_worse(page: Page) -> None:
    """Slices by the number of steps; a slice filters the rows, the first of which opens by keyboard."""
    page.get_by_role("link", name="Slices").click()
    slices = page.get_by_role("table", name="Right answer by steps")
    expect(slices).to_contain_text("points")
    page.get_by_role("link", name=re.compile(r"^Worse 152$")).click()
    expect(page.locator("#comparison-rows tbody tr")).to_have_count(50)
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    expect(drawer).to_contain_text(SMALLER)
    page.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()


def vote_without_names(page: Page, here: str) -> None:
    page.goto(f"{here}blind/")
    for name in (LARGER, BEST):
        expect(page.locator("html")).not_to_contain_text(name)
    for voted, key in enumerate("120", start=1):
        press_to_vote(page, key, f"{voted} of 1,318 voted by you")
    expect(page.locator(".blind-revealed")).to_contain_text(re.compile(f"{BEST}|{LARGER}"))
    assert PairVote.objects.filter(source="human").count() == 3


def decide(page: Page, here: str) -> None:
    """The figures support the choice, so no reason is asked for."""
    page.goto(f"{here}decide/")
    expect(page.locator("#decision")).to_contain_text("+21.5 points")
    first = page.locator(".decision-option").first  # the votes have the figures made again
    expect(first).to_contain_text("The figures support this choice")
    page.get_by_role("button", name="Move the label").click()
    page.wait_for_url(f"**{here}")
    label = PromptLabel.objects.get(prompt__slug="solve", name="production")
    assert label.version.number == 4


def keep_the_report(page: Page, here: str, folder: Path) -> Path:
    for _ in range(120):  # until a worker has made the parts that nobody looked at before
        if "content-disposition" in page.request.get(f"{here}report/").headers:
            break
        page.wait_for_timeout(500)
    with page.expect_download() as found:
        page.evaluate("path => { location.href = path; }", f"{here}report/")
    file = folder / "report.html"
    found.value.save_as(file)
    return file


def open_it_offline(browser: Browser, report: Path) -> None:
    asked: list[str] = []
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        expect(page.locator("body")).to_contain_text(f"{BEST} is better than {LARGER}")
        expect(page.locator("body")).to_contain_text("+4.3 points")
    finally:
        context.close()
    assert asked == [report.as_uri()]
