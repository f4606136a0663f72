"""Thumbs where people see them: in the chat with what is in production, and on a page of somebody else."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import feedback_settings_save
from apps.prompts.label_services import label_set
from tests.e2e.conftest import PATIENCE_MS, OpenPage, Watch
from tests.e2e.steps import tab_to
from tests.e2e.test_accessibility import problems
from tests.factories.core import SYSTEM, make_member, make_project
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version
from tests.factories.thumbs import make_token
from tests.live_stack import LiveStack
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.loopback_server import LoopbackServer
from tests.workbench_steps import make_endpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SETTINGS: dict[str, Any] = {
    "reasons": ["Wrong", "Too long"],
    "token_hours": 72,
    "subject_per_minute": 0,
    "address_per_minute": 0,
    "project_per_minute": 0,
    "rule": {},
}


@pytest.fixture
def project(transactional_db: None, loopback_provider: LoopbackProvider) -> Project:
    project = make_project("Shop")
    make_endpoint(project, loopback_provider)
    prompt = make_prompt(project, "Support")
    version = make_version(prompt, "For {{ shop }}: {{ question }}", parameters={"model": "loop/loop-small"})
    label_set(prompt=prompt, by=SYSTEM, name="production", version=version)
    return project


def test_thumbs_in_the_chat_and_on_a_foreign_page(
    live_stack: LiveStack,
    project: Project,
    loopback_provider: LoopbackProvider,
    open_page: OpenPage,
    watch: Watch,
) -> None:
    with foreign_pages(live_stack.url) as foreign:
        feedback_settings_save(project=project, by=SYSTEM, allowed_origins=[foreign.origin], **SETTINGS)
        page = open_page(live_stack.url, user=make_member(project, Role.EDITOR))
        page.goto(f"/p/{project.slug}/feedback/chat/")
        page.get_by_role("link", name="Support").click()
        ask_and_reload(page, loopback_provider)
        judge_by_keyboard(page)
        go_on_with_what_was_said(page, loopback_provider)
        stop_an_answer(page, loopback_provider)
        watch.expect("ERR_INTERNET_DISCONNECTED")
        lose_the_network(page, loopback_provider)
        page.close()

        watch.expect("403 (Forbidden)")
        watch.expect("net::ERR_FAILED")
        judge_on_a_foreign_page(open_page(foreign.origin), foreign, project)


def say(page: Page, text: str) -> None:
    """Once the answer before is there, as Enter sends nothing until then."""
    expect(page.locator(".chat-write").get_by_role("button", name="Send")).to_be_visible()
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")


def ask_and_reload(page: Page, provider: LoopbackProvider) -> None:
    """An answer goes on where the page is loaded anew in its middle."""
    held = threading.Event()
    provider.behaviour = Behaviour(held_until=held, reply=lambda _: "We open at nine <b>sharp</b>.")
    page.get_by_label("shop").fill("Corner Books")
    say(page, "When do you open?")
    answer = page.locator(".chat-answer")
    expect(answer).to_contain_text("We")
    page.reload()
    expect(page.locator(".chat-question")).to_contain_text("When do you open?")
    held.set()
    expect(answer).to_contain_text("We open at nine <b>sharp</b>.")
    sent = provider.completions[-1].body["messages"][-1]["content"]
    assert sent == "For Corner Books: When do you open?"


def judge_by_keyboard(page: Page) -> None:
    down = page.get_by_role("button", name="Bad answer")
    tab_to(down)
    page.keyboard.press("Enter")
    expect(down).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Wrong", exact=True).press("Space")
    expect(page.get_by_role("button", name="Wrong", exact=True)).to_have_attribute("aria-pressed", "true")
    assert "\n".join(problems(page, "the chat with its form open")) == ""
    page.get_by_label("Comment").fill("We open at ten.")
    page.get_by_label("A better answer").fill("At ten.")
    page.locator("llmops-feedback").get_by_role("button", name="Send").press("Enter")
    expect(page.get_by_label("Comment")).to_be_hidden()
    expect(page.locator("llmops-feedback").get_by_role("status")).to_have_text("Thank you.")
    given = Feedback.objects.get()
    assert (given.thumb, given.reason, given.comment) == (-1, "Wrong", "We open at ten.")
    assert (given.correction, given.span.output) == ("At ten.", "We open at nine <b>sharp</b>.")
    assert given.prompt_version is not None
    page.reload()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")


def go_on_with_what_was_said(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(reply=lambda _: "On Sundays too.")
    say(page, "And on Sundays?")
    expect(page.locator(".chat-answer").nth(1)).to_contain_text("On Sundays too.")
    said = [(message["role"], message["content"]) for message in provider.completions[-1].body["messages"]]
    assert said == [
        ("user", "When do you open?"),
        ("assistant", "We open at nine <b>sharp</b>."),
        ("user", "For Corner Books: And on Sundays?"),
    ]


def stop_an_answer(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(held_until=threading.Event(), reply=lambda _: "Never ending story")
    say(page, "Tell me more")
    answer = page.locator(".chat-answer").nth(2)
    expect(answer).to_contain_text("Never")
    page.get_by_role("button", name="Stop").click()
    expect(answer).to_contain_text("Stopped.")
    provider.behaviour.held_until.set()  # type: ignore[union-attr]


def lose_the_network(page: Page, provider: LoopbackProvider) -> None:
    """A message that could not be sent is sent again by a click, and nothing of the talk is lost."""
    provider.behaviour = Behaviour(reply=lambda _: "Back again.")
    page.context.set_offline(True)
    say(page, "Are you there?")
    answer = page.locator(".chat-answer").nth(3)
    expect(answer).to_contain_text("The server cannot be reached")
    page.context.set_offline(False)
    answer.get_by_role("button", name="Try again").click()
    expect(answer).to_contain_text("Back again.")
    expect(answer.get_by_role("button", name="Good answer")).to_be_visible()


def judge_on_a_foreign_page(page: Page, foreign: Foreign, project: Project) -> None:
    span = make_span(project, output="Paris")
    foreign.tokens = [make_token(span), make_token(make_span(project))]
    page.goto("/")
    first = page.locator("llmops-feedback").first
    up = first.get_by_role("button", name="Good answer")
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    given = Feedback.objects.get(span=span)
    assert (given.thumb, given.origin) == (1, foreign.origin)

    # The script tag drew its own; one that is added later works too.
    expect(page.locator("llmops-feedback")).to_have_count(2)
    page.evaluate(
        """(token) => {
          document.addEventListener("llmops-feedback", (event) => { window.told = event.detail; });
          const added = document.createElement("llmops-feedback");
          added.setAttribute("token", token);
          added.id = "added";
          document.body.append(added);
        }""",
        make_token(span, "bob"),
    )
    added = page.locator("#added")
    page.route("**/api/v1/feedback/", lambda route: route.abort())
    added.get_by_role("button", name="Bad answer").click()
    expect(added.get_by_role("status")).to_have_text("That could not be sent.")
    page.unroute("**/api/v1/feedback/")
    added.get_by_role("button", name="Try again").click()
    expect(added.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    added.get_by_role("button", name="Too long").click()
    expect(added.get_by_role("button", name="Too long")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.told.reason") == "Too long"
    assert Feedback.objects.filter(span=span).count() == 2

    # A token that was changed on the way says so, and its vote is nowhere.
    page.evaluate("document.querySelector('#added').setAttribute('token', 'forged')")
    expect(added.get_by_role("status")).to_have_text(
        re.compile("not made here or was changed"), timeout=PATIENCE_MS
    )


class Foreign:
    """Pages of another origin, under a policy that lets in nothing but the one script and its requests."""

    def __init__(self, origin: str, stack: str) -> None:
        self.origin = origin
        self.tokens: list[str] = ["", ""]
        self.policy = (
            f"default-src 'none'; script-src {stack}; connect-src {stack}; img-src data:; base-uri 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
        self.stack = stack

    def page(self) -> str:
        return (
            f'<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">'
            f'<script src="{self.stack}/feedback.js" async></script><main><h1>Shop</h1>'
            f'<p>Paris</p><llmops-feedback token="{self.tokens[0]}"></llmops-feedback>'
            f'<p>Rome</p><script src="{self.stack}/feedback.js" data-token="{self.tokens[1]}"></script>'
            "</main>"
        )


@contextmanager
def foreign_pages(stack: str) -> Iterator[Foreign]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = foreign.page().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", foreign.policy)
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    foreign = Foreign(f"http://127.0.0.1:{server.server_port}", stack)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield foreign
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
