"""From blind votes by keyboard to a decision with its reason, and the report that goes to others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.models import Comparison, PairVote
from tests.e2e.conftest import OpenPage, Watch
from tests.factories.core import make_member, make_project
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.factories.prompts import make_prompt, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
VOTED = re.compile(r"was (Terse|Wordy), 2 was (Terse|Wordy)")


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Which prompt")


@pytest.fixture
def comparison(project: Project) -> Comparison:
    """Two versions of one prompt that are equally often right."""
    version, prompt = make_dataset_version(project, 6), make_prompt(project, "Answer")
    evaluator = make_evaluator_version(project, "exact_match", "exact-match")
    runs = [
        make_run(
            project,
            version,
            evaluators=[evaluator],
            scores={"exact-match": [float((place + shift) % 2) for place in range(6)]},
            outputs=[f"{name.lower()[0]} answer to question {place}" for place in range(6)],
            prompt_version=make_version(prompt),
            name=name,
        )
        for shift, name in enumerate(("Terse", "Wordy"))
    ]
    return make_comparison(project, *runs, primary="exact-match")


def address(comparison: Comparison, page: str) -> str:
    return f"/p/{comparison.project.slug}/comparisons/{comparison.number}/{page}"


def press(page: Page, key: str, voted: int) -> None:
    press_to_vote(page, key, f"{voted} of 6 voted by you")


def press_to_vote(page: Page, key: str, counted: str) -> None:
    """Press a key of the vote once the row is ready for it, and wait until that vote is counted."""
    expect(page.locator("#vote-1")).to_be_enabled()
    page.keyboard.press(key)
    expect(page.locator("#blind")).to_contain_text(counted)


def test_votes_by_keyboard_hide_the_names_until_they_are_cast(
    live_server: Any, comparison: Comparison, open_page: OpenPage
) -> None:
    voter = make_member(comparison.project, Role.ANNOTATOR)
    page = open_page(live_server.url, user=voter)
    page.goto(address(comparison, "blind/"))
    for text in ("Terse", "Wordy"):
        expect(page.locator("html")).not_to_contain_text(text)
    left = page.locator("section.side").first.inner_text()
    press(page, "1", 1)
    said = page.locator(".blind-revealed").inner_text()
    first = VOTED.search(said)
    assert first is not None
    assert first[1] == ("Terse" if "t answer" in left else "Wordy")
    assert f"You chose 1: {first[1]}" in said
    press(page, "2", 2)
    press(page, "0", 3)
    expect(page.locator(".blind-revealed")).to_contain_text("You called it a tie")
    skipped = page.locator("section.side").first.inner_text()
    page.keyboard.press("s")
    expect(page.locator("section.side").first).not_to_have_text(skipped)
    page.keyboard.press("u")
    expect(page.locator("#blind")).to_contain_text("You have voted on this row: a tie")
    press(page, "1", 3)
    expect(page.locator(".blind-revealed")).to_contain_text("You chose 1")
    for voted in (4, 5):
        press(page, "2", voted)
    expect(page.locator("#vote-1")).to_be_enabled()
    page.keyboard.press("2")
    expect(page.locator("#blind")).to_contain_text("You have voted on every row")
    expect(page.locator("#blind")).to_contain_text("In your votes Wordy won")
    assert PairVote.objects.count() == 6


def test_a_vote_survives_a_lost_connection(
    live_server: Any, comparison: Comparison, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    watch.expect("Failed to fetch")
    page = open_page(live_server.url, user=make_member(comparison.project, Role.ANNOTATOR))
    page.goto(address(comparison, "blind/"))
    expect(page.locator("#vote-1")).to_be_enabled()
    page.get_by_label("Why (optional)").fill("Says it in one breath")
    page.locator("h1").click()
    page.context.set_offline(True)
    page.keyboard.press("1")
    expect(page.locator(".blind-lost")).to_contain_text("is not saved yet")
    assert not PairVote.objects.exists()
    page.context.set_offline(False)
    expect(page.locator("#blind")).to_contain_text("1 of 6 voted by you")
    assert PairVote.objects.get().reason == "Says it in one breath"


def test_a_decision_that_the_figures_do_not_support_takes_a_reason(
    live_server: Any, comparison: Comparison, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    page = open_page(live_server.url, user=make_member(comparison.project, Role.APPROVER))
    page.goto(address(comparison, "decide/"))
    expect(page.get_by_role("radio").first).to_be_checked()
    expect(page.locator("#decision")).to_contain_text("This choice needs a reason")
    page.get_by_role("button", name="Move the label").click()
    expect(page.locator("#decision")).to_contain_text("Say why it is chosen all the same")
    page.get_by_label("Reason").fill("Half the tokens")
    page.get_by_role("button", name="Move the label").click()
    page.wait_for_url(f"**{address(comparison, '')}")
    expect(page.locator("#toasts")).to_contain_text("“production” of Answer points to version 2 now")
    page.goto(f"/p/{comparison.project.slug}/prompts/answer/labels/")
    history = page.get_by_role("table", name="History of labels")
    expect(history).to_contain_text("Half the tokens")
    expect(history).to_contain_text(f"Comparison #{comparison.number}")


def test_a_vote_cast_while_signed_out_is_kept_and_sent_again(
    live_server: Any, comparison: Comparison, open_page: OpenPage, watch: Watch
) -> None:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.ANNOTATOR))
    page.goto(address(comparison, "blind/"))
    session = [cookie for cookie in page.context.cookies() if "session" in str(cookie.get("name"))]
    watch.expect("Failed to load resource")
    for number, gone in enumerate((re.compile("session"), re.compile(".")), 1):  # signed out; no token either
        expect(page.locator("#vote-1")).to_be_enabled()
        page.locator("#blind-reason").fill("Clearer")
        page.context.clear_cookies(name=gone)
        page.locator("#vote-1").click()
        notice = page.get_by_role("alert").filter(has_text="You were signed out")
        expect(notice).to_contain_text("1 is better")
        expect(page.locator("#blind-reason")).to_have_value("Clearer")
        page.get_by_role("button", name="Send again").click()
        expect(notice).to_contain_text("You are still signed out")
        page.context.add_cookies(session)  # type: ignore[arg-type]
        page.get_by_role("button", name="Send again").click()
        expect(page.locator("#blind")).to_contain_text(f"{number} of 6 voted by you")
    assert [vote.reason for vote in PairVote.objects.all()] == ["Clearer", "Clearer"]


def test_the_report_is_a_file(live_server: Any, comparison: Comparison, open_page: OpenPage) -> None:
    for part, column in (("preferences", ""), ("slices", "level")):
        figures_make(comparison.pk, comparison.baseline_id, part, column)
    page = open_page(live_server.url, user=make_member(comparison.project, Role.VIEWER))
    page.goto(address(comparison, ""))
    with page.expect_download() as found:
        page.evaluate("path => { location.href = path; }", address(comparison, "report/"))
    assert re.fullmatch(r"comparison-\d+-\d{4}-\d\d-\d\d\.html", found.value.suggested_filename)
