"""Calls as a person sees them: a reload that goes on, a double click, a server out of reach, the history."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.workbench.models import Call
from tests.e2e.conftest import PATIENCE_MS, OpenPage, Watch
from tests.factories.core import make_member, make_project
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.workbench_steps import make_endpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
WORDS = " ".join(f"word{n}" for n in range(50))


@pytest.fixture
def project(transactional_db: None, loopback_provider: LoopbackProvider) -> Project:
    project = make_project("Workshop")
    make_endpoint(project, loopback_provider)
    version = {"parameters": {"model": "loop/loop-small"}, "commit_message": "First"}
    make_version(make_prompt(project, "Repeat"), "Say something", **version)
    return project


def test_a_call_survives_reloads_double_clicks_and_an_outage_and_is_found_again(
    live_stack: LiveStack,
    project: Project,
    loopback_provider: LoopbackProvider,
    open_page: OpenPage,
    watch: Watch,
) -> None:
    page = open_page(live_stack.url, user=make_member(project, Role.EDITOR))
    page.clock.install()
    page.goto(f"/p/{project.slug}/prompts/repeat/")
    go_on_after_a_reload(page, loopback_provider)
    run_once_for_two_clicks(page, loopback_provider)
    rest_when_nothing_is_under_way(page, loopback_provider)
    watch.expect("ERR_INTERNET_DISCONNECTED")
    reach_the_server_again(page, loopback_provider)
    find_it_in_the_history(page)


def go_on_after_a_reload(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(chunk_delay_s=0.15, reply=lambda _: WORDS)
    page.get_by_role("button", name="Run", exact=True).click()
    text = page.locator(".wb-output-text").first
    expect(text).to_have_text(re.compile("^word0 word1"))
    page.reload()
    expect(text).to_have_text(re.compile("^word0 word1"))
    expect(page.locator(".wb-output").first).to_have_attribute("data-status", "running")
    expect(text).to_have_text(WORDS, timeout=PATIENCE_MS)
    expect(page.locator(".wb-output").first).to_have_attribute("data-status", "completed")


def run_once_for_two_clicks(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(latency_s=0.5, reply=lambda _: "once")
    before = Call.objects.count()
    page.get_by_role("button", name="Run", exact=True).dblclick()
    expect(page.locator(".wb-output-text").first).to_have_text("once")
    assert Call.objects.count() == before + 1
    assert len(provider.completions) == before + 1


def rest_when_nothing_is_under_way(page: Page, provider: LoopbackProvider) -> None:
    """A browser opens six connections to a server: a page that waits for nothing must not hold one."""
    provider.behaviour = Behaviour(reply=lambda _: "awake")
    with page.expect_event("requestfailed", lambda request: "/stream/" in request.url):
        page.clock.fast_forward(50_000)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".wb-output-text").first).to_have_text("awake")


def reach_the_server_again(page: Page, provider: LoopbackProvider) -> None:
    """What is sent while the network is away is sent again, once."""
    provider.behaviour = Behaviour(reply=lambda _: "again")
    before = Call.objects.count()
    page.context.set_offline(True)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("body")).to_contain_text("It is asked again", timeout=PATIENCE_MS)
    page.context.set_offline(False)
    expect(page.locator(".wb-output-text").first).to_have_text("again", timeout=PATIENCE_MS)
    assert Call.objects.count() == before + 1


def find_it_in_the_history(page: Page) -> None:
    page.get_by_role("link", name="History").click()
    expect(page.locator("tbody tr")).to_have_count(Call.objects.count())
    page.get_by_label("Search outputs").fill("word49")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody tr a").first.click()
    expect(page.get_by_text(WORDS)).to_be_visible()
    page.get_by_role("link", name="Open in the workbench").click()
    expect(page.get_by_label("Text of message 1", exact=True)).to_contain_text("Say something")
