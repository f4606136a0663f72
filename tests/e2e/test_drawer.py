"""The drawer of a compared row: notices above it, drafts that outlive it, keys that go back to the rows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from apps.core.roles import Role
from apps.evaluations.models import Comparison, PairVote, RowComment
from tests.e2e.conftest import PHONE, OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.e2e.test_compared_rows import address, make_compared, title
from tests.factories.core import make_member, make_project
from tests.factories.evaluations import make_comparison
from tests.unit.evaluations.test_comparison_pages import make_pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ON_TOP = """(element) => {
  const box = element.getBoundingClientRect();
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return element.contains(seen);
}"""


@pytest.fixture
def comparison(transactional_db: None) -> Comparison:
    return make_compared(make_project("Which prompt"), 40)


def opened(
    comparison: Comparison, live_server: Any, open_page: OpenPage, viewport: dict[str, int] | None = None
) -> Page:
    """The page with the first row's drawer open."""
    user = make_member(comparison.project, Role.EDITOR)
    page = open_page(live_server.url, user=user, **({"viewport": viewport} if viewport else {}))
    page.goto(address(comparison))
    page.locator("[data-walk-open][data-htmx-powered]").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Example q7")
    expect(title(page)).to_be_visible()
    return page


def comment_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Comment", exact=True)


def test_notices_are_in_sight_while_the_drawer_is_open(
    comparison: Comparison, live_server: Any, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    watch.expect("Failed to fetch")
    page = opened(comparison, live_server, open_page)
    comment_box(page).fill("Odd")
    page.keyboard.press("Control+Enter")
    page.locator("#row-comments").get_by_role("link", name="Edit").click()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    RowComment.objects.all().delete()
    page.get_by_role("button", name="Save").click()
    notice = page.locator("#toasts [data-toast]")
    expect(notice).to_be_visible()
    assert notice.evaluate(ON_TOP)
    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    expect(page.locator("#drawer-dialog")).to_be_visible()
    page.locator("#row-comments-title").click()
    page.keyboard.press("e")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(notice).to_contain_text("1 example added")
    assert notice.evaluate(ON_TOP)
    page.context.set_offline(True)
    page.get_by_role("button", name="Next").click()
    lost = notice.filter(has_text="The server cannot be reached")
    expect(lost).to_be_visible()
    assert lost.evaluate(ON_TOP)


def test_a_notice_stays_in_sight_when_a_dialogue_opens_after_it(
    comparison: Comparison, live_server: Any, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    watch.expect("Failed to fetch")
    page = opened(comparison, live_server, open_page)
    page.keyboard.press("Escape")
    page.route("**/comparisons/*/rows/?*", lambda route: route.abort())
    page.get_by_role("navigation", name="Filter examples").get_by_role("link", name="Better").click()
    notice = page.locator("#toasts [data-toast]")
    expect(notice).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(title(page)).to_be_visible()
    assert notice.evaluate(ON_TOP)


def test_a_drafted_comment_outlives_the_drawer(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = opened(comparison, live_server, open_page)
    page.keyboard.press("c")
    expect(comment_box(page)).to_be_focused()
    page.keyboard.type("Half a thought")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer-dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(comment_box(page)).to_have_value("Half a thought")
    page.locator("#row-comments-title").click()
    page.keyboard.press("j")
    expect(title(page)).to_have_text("Example q14")
    expect(comment_box(page)).to_have_value("")
    page.keyboard.press("k")
    expect(title(page)).to_have_text("Example q7")
    expect(comment_box(page)).to_have_value("Half a thought")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator("#row-comments")).to_contain_text("Half a thought")
    expect(comment_box(page)).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#row-comments .prose")).to_have_text("Half a thought")
    expect(comment_box(page)).to_have_value("")


def test_a_draft_stays_when_the_comment_could_not_be_sent(
    comparison: Comparison, live_server: Any, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    watch.expect("Failed to fetch")
    page = opened(comparison, live_server, open_page)

    def refused(route: Route) -> None:
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    page.route("**/comments/**", refused)
    comment_box(page).fill("Not lost")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("The server cannot be reached")
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("Enter")
    expect(comment_box(page)).to_have_value("Not lost")


def test_escape_and_enter_leave_the_search_for_the_rows(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.VIEWER))
    page.goto(address(comparison))
    here = page.locator(".compared-rows [data-walk-here]")
    page.keyboard.press("/")
    page.keyboard.type("q2")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(here).to_have_count(1)
    search = page.get_by_role("searchbox", name="Search inputs")
    expect(search).to_have_value("q2")
    expect(search).to_have_attribute("placeholder", re.compile("Enter"))
    page.keyboard.press("/")
    page.keyboard.type("q1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=q1"))
    page.keyboard.press("j")
    expect(here).to_contain_text("q1")
    expect(search).to_have_value("q1")


def test_escape_leaves_the_reason_of_a_blind_vote(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.EDITOR))
    page.goto(address(comparison) + "blind/")
    page.locator("#vote-1:not([disabled])").wait_for()
    page.keyboard.press("w")
    page.keyboard.type("Says the month")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.locator(".blind-revealed")).to_be_visible()
    assert PairVote.objects.get().reason == "Says the month"


def test_the_drawers_head_stays_in_sight(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = opened(comparison, live_server, open_page, PHONE)
    page.locator("#drawer").evaluate("body => { body.scrollTop = body.scrollHeight; }")
    for name in ("Previous", "Next", "Close"):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_in_viewport(ratio=1)
        assert button.evaluate(ON_TOP)
    assert page.locator("#drawer").evaluate("body => body.scrollWidth <= body.clientWidth")


def test_words_that_differ_take_no_side(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    page = opened(comparison, live_server, open_page)
    colour = "element => getComputedStyle(element).color"
    worse = page.locator("#drawer .outcome-loss").first.evaluate(colour)
    better = page.locator(".compared-rows .outcome-win").first.evaluate(colour)
    for words in ("del", "ins"):
        for place in ("#drawer", ".compared-rows"):
            assert page.locator(f"{place} {words}").first.evaluate(colour) not in {worse, better}


def test_the_sign_in_page_waits_for_the_address(live_server: Any, open_page: OpenPage) -> None:
    page = open_page(live_server.url)
    page.goto("/account/login/")
    expect(page.get_by_label("Email")).to_be_focused()


def test_a_drawer_that_is_closed_while_its_content_comes_stays_closed(
    comparison: Comparison, live_server: Any, open_page: OpenPage
) -> None:
    """Between the swap and what htmx says of it, somebody may have pressed Escape."""
    page = opened(comparison, live_server, open_page)
    reopened = page.evaluate(
        """() => {
          const dialog = document.getElementById("drawer-dialog");
          const detail = { ctx: { target: document.getElementById("drawer") } };
          document.dispatchEvent(new CustomEvent("htmx:before:swap", { detail }));
          dialog.close();
          document.dispatchEvent(new CustomEvent("htmx:after:swap", { detail }));
          return dialog.open;
        }"""
    )
    assert not reopened


def test_repetitions_stand_side_by_side(
    transactional_db: None, live_server: Any, open_page: OpenPage
) -> None:
    project = make_project("Again and again")
    page = open_page(live_server.url, user=make_member(project, Role.VIEWER))
    page.goto(address(make_comparison(project, *make_pair(project, 3, repetitions=2))))
    page.locator("[data-walk-open]").first.click()
    expect(page.locator(".repetitions > section")).to_have_count(2)
    first, second = (box.bounding_box() for box in page.locator(".repetitions > section").all())
    assert first is not None
    assert second is not None
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    assert not problems(page, "repetitions")
