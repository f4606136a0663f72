"""From a thumb down to a better prompt: the worst answer, its like, the prompt mended, all tried again."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import Dataset
from apps.feedback.models import Feedback, SpanEmbedding
from apps.providers.models import Model
from llmops_web.stack.waiting import wait_until
from tests.e2e.conftest import PHONE, OpenPage
from tests.e2e.steps import message, write_message
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.feedback import make_feedback, make_span
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import MODELS, LoopbackProvider
from tests.workbench_steps import make_endpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
WORST = "How do I get my money back for a broken lamp?"
ALIKE = ("I want a refund, the lamp arrived broken.", "Money back for a broken lamp, please")
UNLIKE = "Which countries do you ship chocolate to?"


@pytest.fixture
def project(transactional_db: None, loopback_provider: LoopbackProvider) -> Project:
    project = make_project("Shop")
    provider = make_endpoint(project, loopback_provider)
    Model.objects.bulk_create(Model(provider=provider, name=name, context_window=4_000) for name in MODELS)
    prompt = make_prompt(project, "Support")
    version = make_version(prompt, "{{ question }}", parameters={"model": "loop/loop-small"})
    worst = make_span(project, WORST, "We do not know.", prompt_version=version)
    pending = Feedback.State.PENDING
    for _ in range(3):
        make_feedback(project, worst, thumb=Feedback.DOWN, reason="Not helpful", state=pending)
    for question in (*ALIKE, UNLIKE):
        span = make_span(project, question, "We do not know.", prompt_version=version)
        make_feedback(project, span, thumb=Feedback.DOWN, correction="Within 14 days.", state=pending)
    for _ in range(5):
        make_feedback(project, make_span(project, prompt_version=version), state=pending)
    return project


def test_a_thumb_down_leads_to_a_mended_prompt_within_a_minute(
    live_stack: LiveStack, project: Project, open_page: OpenPage
) -> None:
    page = open_page(live_stack.url, user=make_member(project, Role.EDITOR))
    wait_until(
        lambda: not SpanEmbedding.objects.filter(vector=None).exists(), seconds=120, what="The embeddings"
    )
    began = time.monotonic()
    find_the_worst_answer(page, project)
    add_it_with_its_like_to_the_regression_set(page)
    mend_the_prompt_and_try_the_failures_again(page)
    assert time.monotonic() - began < 60
    adding_again_doubles_nothing(page, project)
    decide_on_ticked_votes(page, project)
    on_a_phone(open_page(live_stack.url, user=make_member(project, Role.VIEWER), viewport=PHONE), project)


def find_the_worst_answer(page: Page, project: Project) -> None:
    page.goto(f"/p/{project.slug}/feedback/")
    expect(page.get_by_role("heading", name="Feedback", level=1)).to_be_visible()
    expect(page.locator(".plot svg").first).to_be_visible()
    expect(page.get_by_role("table", name=re.compile("By version"))).to_contain_text("45% [21%, 72%]")
    worst = page.get_by_role("table", name="Worst answers").locator("tbody tr").first
    expect(worst).to_contain_text("3 down, 0 up")
    worst.get_by_role("link", name=WORST).click()
    expect(page.get_by_role("heading", name="Thumb down for Support")).to_be_visible()


def add_it_with_its_like_to_the_regression_set(page: Page) -> None:
    similar = page.get_by_role("table", name="Similar failures")
    expect(similar.locator("tbody tr")).to_have_count(3)
    for question in ALIKE:
        expect(similar.get_by_role("checkbox", name=f"Tick “{question}”")).to_be_checked()
    expect(similar.get_by_role("checkbox", name=f"Tick “{UNLIKE}”")).not_to_be_checked()
    page.get_by_role("button", name="Add to the regression set and mend the prompt").click()


def mend_the_prompt_and_try_the_failures_again(page: Page) -> None:
    expect(message(page, 1)).to_be_visible()
    expect(page.get_by_label("question", exact=True)).to_have_value(WORST)
    region = page.get_by_role("region", name="Try on rows")
    expect(region.get_by_label("Dataset")).to_have_value("regressions-of-support")
    expect(region.get_by_label("First rows")).to_have_value("3")
    write_message(page, 1, "Answer within 14 days: {{ question }}")
    expect(region.get_by_text(re.compile("3 rows × 1 column = 3 calls"))).to_be_visible()
    region.get_by_role("button", name="Try", exact=True).click()
    expect(region.get_by_role("row", name=re.compile("^All"))).to_contain_text("3 of 3 answered")
    expect(region.locator("tbody")).to_contain_text(f"Answer within 14 days: {WORST}")


def adding_again_doubles_nothing(page: Page, project: Project) -> None:
    vote = Feedback.objects.filter(span__inputs__question=WORST).first()
    assert vote is not None
    page.goto(f"/p/{project.slug}/feedback/votes/{vote.pk}/")
    expect(page.get_by_text("in the regression set", exact=True)).to_have_count(2)
    assert problems(page, "the vote") == []
    page.get_by_role("button", name="Add to the regression set", exact=True).click()
    expect(page.get_by_text("Regressions of Support has all of them already.")).to_be_visible()
    assert Dataset.objects.get(project=project).versions.count() == 1


def decide_on_ticked_votes(page: Page, project: Project) -> None:
    page.goto(f"/p/{project.slug}/feedback/votes/?thumb=down")
    let_through = page.get_by_role("button", name="Let through")
    expect(let_through).to_be_disabled()
    page.get_by_role("checkbox", name=f"Tick the vote on “{UNLIKE}”").check()
    expect(page.get_by_text("1 ticked")).to_be_visible()
    let_through.click()
    expect(page.get_by_text("1 vote was let through.")).to_be_visible()
    assert page.url.endswith("?thumb=down")
    page.get_by_label("Decision", exact=True).select_option("pending")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator("table.votes tbody tr")).to_have_count(5)
    page.get_by_role("checkbox", name="All that match the filter").check()
    expect(page.get_by_text("All that match", exact=True)).to_be_visible()
    page.get_by_role("button", name="Keep out").click()
    expect(page.get_by_text("5 votes were kept out.")).to_be_visible()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    assert problems(page, page.url) == []


def on_a_phone(page: Page, project: Project) -> None:
    for path in ("", "votes/", "votes/?order=worst"):
        page.goto(f"/p/{project.slug}/feedback/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        assert problems(page, page.url) == []
    expect(page.get_by_role("button", name="Let through")).to_have_count(0)
