"""From thumbs and corrections to a file to train on, in a browser, with real workers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.models import Feedback
from tests.e2e.conftest import OpenPage
from tests.factories.core import make_member, make_project, make_user
from tests.factories.feedback import make_feedback, make_span
from tests.live_stack import LiveStack

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def project(transactional_db: None) -> Project:
    project = make_project("Support")
    for place in range(12):
        span = make_span(project, f"Where is order {place}?", f"Order {place} is on its way.")
        make_feedback(project, span, thumb=Feedback.UP)
    disliked = make_span(project, "Where is order 99?", "<b>I do not know.</b>")
    make_feedback(project, disliked, thumb=Feedback.DOWN, correction="It arrives on Tuesday.", comment="Rude")
    return project


def test_from_judgements_to_a_file(
    live_stack: LiveStack, project: Project, open_page: OpenPage, tmp_path: Path
) -> None:
    user = make_member(project, Role.EDITOR, make_user("editor@example.com"))
    page = open_page(live_stack.url, user=user)
    page.goto(f"/p/{project.slug}/feedback/training/")
    page.get_by_role("link", name="New training set").first.click()
    ask_for_the_preview(page)
    expect(page.get_by_role("heading", name="What is in it")).to_be_visible()
    look_at_what_is_left_out(page)
    page.goto(f"/p/{project.slug}/feedback/training/1/")
    page.get_by_role("button", name="Freeze 13 rows").click()
    expect(page.get_by_role("heading", name="Files")).to_be_visible()
    expect(page.get_by_role("link", name="Fine-tune on it")).to_have_attribute("href", re.compile("set=1$"))
    with page.expect_download() as download:
        page.get_by_role("link", name="training-set-1-sft-trl-train.jsonl").click()
    file = tmp_path / "train.jsonl"
    download.value.save_as(file)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {tuple(row) for row in rows} == {("prompt", "completion")}
    assert len(rows) > 8


def ask_for_the_preview(page: Page) -> None:
    page.get_by_label("Name").fill("Kind answers")
    page.get_by_text("Length", exact=True).click()
    page.get_by_label("Tokenizer").select_option("estimate")
    page.get_by_role("button", name="Make the preview").click()


def look_at_what_is_left_out(page: Page) -> None:
    page.get_by_role("link", name="Most raters say that the answer is bad").click()
    expect(page.get_by_text("<b>I do not know.</b>")).to_be_visible()
    page.get_by_role("link", name="Who said so of row 1").click()
    drawer = page.locator("#drawer")
    expect(drawer.get_by_text("thumb down")).to_be_visible()
    drawer.get_by_role("link", name="Open it").click()
    expect(page.get_by_text("Rude").first).to_be_visible()
