"""The rows of a comparison by keyboard: walked, opened, added to a dataset, commented on, filtered, paged."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import Dataset
from apps.evaluations.models import Comparison, RowComment
from tests.e2e.conftest import PHONE, OpenPage
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
METRIC, SIZE = "exact-match", 120
TEXT = "Natalia sold 48/2 = 24 clips in May. Natalia sold 48+24 = 72 clips altogether in April and {}. "


def make_compared(project: Project, size: int = SIZE) -> Comparison:
    """Two runs with two metrics; every seventh example is worse in the second."""
    version = make_dataset_version(project, size)
    evaluators = [make_evaluator_version(project, slug=slug) for slug in (METRIC, "polite")]
    runs = [
        make_run(
            project,
            version,
            evaluators=evaluators,
            scores={
                METRIC: [float(place % 7 != 0 if number else place % 3 != 0) for place in range(size)],
                "polite": [float((place + number) % 2) for place in range(size)],
            },
            outputs=[TEXT.format(month) * 2 for _ in range(size)],
            name=name,
        )
        for number, (name, month) in enumerate((("Zero-shot", "May"), ("Few-shot", "June")))
    ]
    return make_comparison(project, *runs, primary=METRIC)


@pytest.fixture
def comparison(transactional_db: None) -> Comparison:
    return make_compared(make_project("Which prompt"))


def address(comparison: Comparison) -> str:
    return f"/p/{comparison.project.slug}/comparisons/{comparison.number}/"


def title(page: Page) -> Any:
    return page.locator("#compared-example-title")


def test_rows_are_walked_commented_and_collected_by_keyboard(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    editor = make_member(comparison.project, Role.EDITOR)
    page = open_page(live_server.url, user=editor)
    page.goto(address(comparison))
    rows = page.locator(".compared-rows tbody tr")
    expect(rows).to_have_count(50)
    heights = rows.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
    assert max(heights) <= 60
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.nth(0)).to_have_attribute("data-walk-here", "")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Example q7")
    page.keyboard.press("j")
    expect(title(page)).to_have_text("Example q14")
    page.get_by_role("button", name="Previous").click()
    expect(title(page)).to_have_text("Example q7")
    comment_by_keyboard(page, editor.email)
    collect_by_keyboard(page)
    page.keyboard.press("Escape")
    expect(page.locator("#drawer-dialog")).to_be_hidden()
    expect(rows.nth(0).locator(".comment-count")).to_contain_text("1")
    page.keyboard.press("?")
    for meaning in ("Next row", "Open the row", "Add the example to a dataset", "Comment on the row"):
        expect(page.locator("#keys-dialog")).to_contain_text(meaning)


def comment_by_keyboard(page: Page, author: str) -> None:
    page.keyboard.press("c")
    expect(page.get_by_role("textbox", name="Comment", exact=True)).to_be_focused()
    page.keyboard.type("<b>Odd</b>, is it not?")
    page.keyboard.press("Control+Enter")
    comments = page.locator("#row-comments")
    expect(comments).to_contain_text("<b>Odd</b>, is it not?")
    expect(comments).to_contain_text(author)
    comments.get_by_role("link", name="Edit").click()
    expect(comments.get_by_role("button", name="Save")).to_be_visible()
    page.get_by_role("textbox", name="Comment", exact=True).fill("Less odd")
    comments.get_by_role("button", name="Save").click()
    expect(comments.get_by_role("link", name="Edit")).to_be_visible()
    assert RowComment.objects.get().text == "Less odd"


def collect_by_keyboard(page: Page) -> None:
    """`e` and Enter, twice: the second time the dataset is known."""
    page.locator("#row-comments-title").click()
    for words in ("1 example added to regressions of run 2, version 1", "version 2"):
        page.keyboard.press("e")
        expect(page.get_by_role("button", name="Add", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#toasts")).to_contain_text(words)
        expect(page.locator("#collect-dialog")).to_be_hidden()
        page.keyboard.press("j")
    expect(title(page)).to_have_text("Example q28")
    assert Dataset.objects.get(name="regressions of run 2").versions.count() == 2


def test_filters_and_pages_change_the_address_and_back_returns(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.VIEWER))
    page.goto(address(comparison))
    page.get_by_role("navigation", name="Filter examples").get_by_role("link", name="Better").click()
    expect(page).to_have_url(re.compile(r"show=better"))
    rows = page.locator(".compared-rows tbody tr")
    expect(rows.first).to_contain_text("Better")
    page.get_by_role("searchbox", name="Search inputs").fill("q9")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=q9"))
    expect(rows).to_have_count(5)
    page.go_back()
    expect(rows).not_to_have_count(5)  # the page is there again, and on its way nowhere
    expect(rows.first).to_contain_text("Better")
    page.goto(address(comparison))
    page.keyboard.press("]")
    expect(page).to_have_url(re.compile(r"after="))
    first = rows.first.inner_text()
    page.reload()
    expect(rows.first).to_contain_text(first.splitlines()[0])
    expect(page.get_by_role("link", name="Add the example")).to_have_count(0)


def test_a_filter_chosen_while_the_rows_renew_themselves_is_not_lost(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.VIEWER))
    page.goto(address(comparison))
    rows = page.locator(".compared-rows tbody tr")
    rows.first.evaluate("row => row.setAttribute('data-old', '')")
    held: list[Route] = []
    page.route("**/rows/?*show=better*", lambda route: held.append(route))
    filters = page.get_by_role("navigation", name="Filter examples")
    with page.expect_request("**/rows/?*show=better*"):
        filters.get_by_role("link", name="Better").click()
    page.locator("#comparison-rows").dispatch_event("run-settled")
    expect(page.locator("[data-old]")).to_have_count(0)  # they have renewed themselves
    held[0].continue_()
    expect(filters.get_by_role("link", name="Better")).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(re.compile(r"show=better"))


def test_drawer_and_dialogue_can_be_used_by_everybody(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    editor = make_member(comparison.project, Role.EDITOR)
    RowComment.objects.create(
        comparison=comparison,
        example=comparison.baseline.items.get(example_key="q7").example,
        text="Look",
        author_kind="user",
        author_id=str(editor.pk),
        author_label=editor.email,
    )
    page = open_page(live_server.url, user=editor)
    page.goto(address(comparison) + "?slice=level&value=1")
    wrong = problems(page, "narrowed rows")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(title(page)).to_be_visible()
    wrong += problems(page, "drawer")
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_focused()
    wrong += problems(page, "dialogue")
    assert not wrong, "\n".join(wrong)


def test_two_thousand_rows_fit_a_phone(transactional_db: None, live_server: Any, open_page: OpenPage) -> None:
    comparison = make_compared(make_project("Large"), 2_000)
    page = open_page(live_server.url, user=make_member(comparison.project, Role.VIEWER), viewport=PHONE)
    page.goto(address(comparison))
    expect(page.locator(".compared-rows tbody tr")).to_have_count(50)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
