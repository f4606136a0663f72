"""The workbench by hand: write, complete, run with streaming, stop, four columns, strangers' Markdown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.label_services import label_set
from apps.providers.models import Model
from tests.e2e.conftest import PHONE, OpenPage
from tests.e2e.steps import tab_to
from tests.factories.core import SYSTEM, make_member, make_project, make_user
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import MODELS, Behaviour, LoopbackProvider
from tests.workbench_steps import make_endpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: Everything that ever ran script, fetched something or changed a page out of a Markdown text.
ATTACK = """# Hello
<script>window.attacked = "script"</script>
<img src=x onerror="window.attacked = 'onerror'">
<svg onload="window.attacked = 'onload'"></svg>
<style>body { display: none }</style>
<a href="javascript:window.attacked = 'html link'">html link</a>
<iframe srcdoc="<script>parent.attacked = 1</script>"></iframe>
[js link](javascript:window.attacked='link') [data link](data:text/html,<script>window.attacked=1</script>)
[spaced](java\tscript:alert(1)) [vb](vbscript:alert(1)) [good link](https://example.com/page)
![picture](https://elsewhere.example/pixel.png) ![inline](data:image/png;base64,AAAA)
![quoted" onerror="window.attacked=1](https://elsewhere.example/a.png)
<https://example.com/auto> [ref]

[ref]: javascript:window.attacked='ref'

| a | b |
|:--|--:|
| **1** | 2 |
"""
WEATHER = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}


@pytest.fixture
def project(transactional_db: None, loopback_provider: LoopbackProvider) -> Project:
    project = make_project("Workshop")
    provider = make_endpoint(project, loopback_provider)
    Model.objects.bulk_create(Model(provider=provider, name=name) for name in MODELS)
    prompt = make_prompt(project, "Repeat")
    for text, note in (("Say {{ text }}", "Plain"), ("Say {{ text }} loudly", "Loud")):
        make_version(prompt, text, parameters={"model": "loop/loop-small"}, commit_message=note)
    tone = make_prompt(project, "Tone of voice")
    label_set(prompt=tone, by=SYSTEM, name="production", version=make_version(tone, "Be kind."))
    return project


def opened(open_page: OpenPage, url: str, project: Project, role: Role = Role.EDITOR, **more: Any) -> Page:
    page = open_page(
        url, user=make_member(project, role, make_user(f"{role.name}@example.com".lower())), **more
    )
    page.goto(f"/p/{project.slug}/prompts/repeat/")
    return page


def test_a_prompt_is_written_completed_run_and_stopped(
    live_stack: LiveStack, project: Project, loopback_provider: LoopbackProvider, open_page: OpenPage
) -> None:
    page = opened(open_page, live_stack.url, project)
    complete_a_variable_and_an_include(page)
    see_a_mistake_where_it_is(page)
    move_messages_by_keyboard_and_by_pointer(page)
    run_with_streaming(page, loopback_provider)
    stop_what_runs(page, loopback_provider)
    run_by_keyboard_only(page, loopback_provider)
    hear_that_an_answer_is_empty(page, loopback_provider)
    hear_what_a_call_waits_for(page, loopback_provider)


def test_four_columns_tools_and_a_strangers_markdown(
    live_stack: LiveStack, project: Project, loopback_provider: LoopbackProvider, open_page: OpenPage
) -> None:
    page = opened(open_page, live_stack.url, project)
    page.get_by_label("text", exact=True).fill("good morning")
    compare_four_columns(page)
    see_editor_and_answers_together(page)
    swap_duplicate_and_promote(page)
    answer_a_tool(page, loopback_provider)
    read_a_strangers_markdown(page, loopback_provider)


def test_the_workbench_on_a_phone_and_for_a_viewer(
    live_server: Any, project: Project, open_page: OpenPage
) -> None:
    page = opened(open_page, live_server.url, project, viewport=PHONE)
    text = page.get_by_label("Text of message 1")
    text.click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" in {{ language }}")
    expect(page.get_by_label("language", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for name in ("Run", "Add column"):
        expect(page.get_by_role("button", name=name).first).to_be_in_viewport()
    viewer = opened(open_page, live_server.url, project, Role.VIEWER)
    expect(viewer.locator("#wb-edit")).to_contain_text("Say {{ text }} loudly")
    expect(viewer.locator("#wb-run, .cm-content, #wb-outputs")).to_have_count(0)


def message(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Text of message {number}", exact=True)


def write(page: Page, number: int, text: str) -> None:
    message(page, number).click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def output(page: Page, place: int = 0) -> Locator:
    return page.locator(".wb-output").nth(place)


def complete_a_variable_and_an_include(page: Page) -> None:
    write(page, 1, "Say {{ text }} and {{ te")
    take(page, "text")
    expect(message(page, 1)).to_have_text("Say {{ text }} and {{ text }}")
    page.keyboard.press("Enter")
    page.keyboard.type('{% include "ton')
    take(page, "tone-of-voice@production")
    expect(message(page, 1)).to_contain_text('{% include "tone-of-voice@production" %}')
    expect(page.locator(".wb-message-errors p")).to_have_count(0)


def take(page: Page, option: str) -> None:
    """Take the first completion. In a list's first 75 ms, Enter is still a line break."""
    expect(page.locator(".cm-tooltip-autocomplete [aria-selected]")).to_contain_text(option)
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")


def see_a_mistake_where_it_is(page: Page) -> None:
    write(page, 1, "First line\nSecond {{ text | nonsense }}")
    expect(page.locator(".wb-message-errors")).to_contain_text("Line 2:")
    expect(page.locator(".cm-lintRange-error")).to_be_visible()
    write(page, 1, "Say {{ text }} in {{ language }}")
    expect(page.locator(".wb-message-errors p")).to_have_count(0)
    expect(page.get_by_label("language", exact=True)).to_be_visible()


def move_messages_by_keyboard_and_by_pointer(page: Page) -> None:
    page.get_by_role("button", name="Message", exact=True).click()
    page.keyboard.type("The end.")
    page.get_by_label("Role of message 2").select_option("assistant")
    handle = page.get_by_label("Move message 2: drag, or press an arrow key")
    handle.press("ArrowUp")
    expect(message(page, 1)).to_have_text("The end.")
    expect(page.get_by_label("Role of message 1")).to_have_value("assistant")
    start = page.get_by_label("Move message 1: drag, or press an arrow key").bounding_box()
    end = page.get_by_label("Move message 2: drag, or press an arrow key").bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + 5, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(end["x"] + 5, end["y"] + 150, steps=5)
    page.mouse.up()
    expect(message(page, 2)).to_have_text("The end.")
    page.get_by_role("button", name="Remove message 2").click()
    expect(page.locator(".wb-message")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(message(page, 2)).to_have_text("The end.")
    page.get_by_role("button", name="Remove message 2").click()


def run_with_streaming(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(
        chunk_delay_s=0.2, reply=lambda _: "one two three four five six seven eight"
    )
    page.get_by_label("text", exact=True).fill("hello")
    page.get_by_label("language", exact=True).fill("Danish")
    message(page, 1).click()
    page.keyboard.press("ControlOrMeta+Enter")
    answer = output(page)
    expect(answer.locator(".wb-output-text")).to_have_text(re.compile("^one two"))
    expect(answer).to_have_attribute("data-status", "running")
    expect(answer).to_have_attribute("data-status", "completed")
    expect(answer.locator(".wb-output-text")).to_have_text("one two three four five six seven eight")
    for part in ("First token", "Total", "tokens", "Cost", "loop-small"):
        expect(answer.locator(".wb-figures")).to_contain_text(part)
    assert provider.completions[-1].body["messages"][0]["content"] == "Say hello in Danish"
    page.reload()
    expect(output(page).locator(".wb-output-text")).to_have_text("one two three four five six seven eight")


def stop_what_runs(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(chunk_delay_s=0.2, reply=lambda _: "word " * 500)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(output(page).locator(".wb-output-text")).to_have_text(re.compile("^word word"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(output(page)).to_have_attribute("data-status", "cancelled")
    expect(output(page).locator(".wb-output-text")).to_contain_text("word word")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()


def run_by_keyboard_only(page: Page, provider: LoopbackProvider) -> None:
    """From the top of the page: to the text, change it, run, stop with Escape, run again."""
    provider.behaviour = Behaviour(chunk_delay_s=0.2, reply=lambda _: "word " * 500)
    page.reload()
    expect(message(page, 1)).to_be_visible()
    tab_to(message(page, 1), at_most=80)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Only {{ text }}")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(output(page)).to_have_attribute("data-status", "running")
    page.keyboard.press("Escape")
    expect(output(page)).to_have_attribute("data-status", "cancelled")
    provider.behaviour = Behaviour(reply=lambda body: f"Heard: {body['messages'][-1]['content']}")
    tab_to(page.get_by_label("text", exact=True))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("keys")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(output(page).locator(".wb-output-text")).to_have_text("Heard: Only keys")


def hear_that_an_answer_is_empty(page: Page, provider: LoopbackProvider) -> None:
    expect(output(page)).to_have_attribute("data-status", "completed")
    provider.behaviour = Behaviour(reply=lambda _: "")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(output(page).locator(".wb-output-words")).to_contain_text("The answer is empty")


def hear_what_a_call_waits_for(page: Page, provider: LoopbackProvider) -> None:
    """Of a provider that is slow to begin, and then of a worker that never takes the call up."""
    expect(output(page)).to_have_attribute("data-status", "completed")
    provider.behaviour = Behaviour(latency_s=5, reply=lambda _: "At last.")
    page.keyboard.press("ControlOrMeta+Enter")
    words = output(page).locator(".wb-output-words")
    expect(words).to_contain_text("has not sent a word yet")
    expect(output(page).locator(".wb-output-text")).to_have_text("At last.")
    expect(words).to_be_empty()
    expect(output(page)).to_have_attribute("data-status", "completed")

    def accept(route: Route) -> None:
        asked = route.request.post_data_json
        call = {
            "id": asked["batch"],
            "column": asked["columns"][0]["id"],
            "purpose": "run",
            "status": "pending",
        }
        route.fulfill(status=202, json={"batch": asked["batch"], "calls": [call]})

    page.route("**/run/", accept)
    page.keyboard.press("ControlOrMeta+Enter")
    expect(output(page)).to_have_attribute("data-status", "pending")
    expect(words).to_contain_text("It waits for a worker.")


def compare_four_columns(page: Page) -> None:
    for choice in ("A copy of what the editor shows", "Version 1", "A copy of what the editor shows"):
        page.get_by_role("button", name="Add column").click()
        page.locator(".wb-menu").get_by_role("button", name=choice).click()
    tabs = page.locator(".wb-tab")
    expect(tabs).to_have_count(4)
    expect(page.get_by_role("button", name="Add column")).to_be_hidden()
    tabs.nth(1).click()
    page.get_by_label("Model", exact=True).select_option("loop/loop-large")
    write(page, 1, "Whisper {{ text }}")
    expect(tabs.nth(1)).to_contain_text("Version 2, changed")
    expect(tabs.nth(3)).to_contain_text("Version 1")
    page.get_by_role("button", name="Run 4 columns").click()
    texts = ["Say good morning loudly", "Whisper good morning", "Say good morning loudly", "Say good morning"]
    for place, text in enumerate(texts):
        expect(output(page, place)).to_have_attribute("data-status", "completed")
        if text == texts[0]:
            expect(output(page, place).locator(".wb-output-text")).to_have_text(text)
    expect(output(page, 1).locator("ins")).to_have_text(["Whisper"])
    expect(output(page, 1).locator(".wb-figures")).to_contain_text("loop-large")
    expect(output(page, 3).locator("del").first).to_contain_text("loudly")
    page.get_by_label("Mark what differs from the first column").uncheck()
    expect(output(page, 1).locator(".wb-output-text")).to_have_text("Whisper good morning")


def see_editor_and_answers_together(page: Page) -> None:
    """The parameters stand beside the messages then, and an answer's head has two rows at most."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("#wb-side").get_by_label("Model", exact=True)).to_be_visible()
    for place in (message(page, 1), output(page).locator(".wb-output-text")):
        expect(place).to_be_in_viewport()
    for head in page.locator(".wb-output-head").all():
        box = head.bounding_box()
        assert box
        assert box["height"] < 70


def swap_duplicate_and_promote(page: Page) -> None:
    output(page, 3).locator("[data-act=left]").click()
    expect(output(page, 2).locator(".wb-output-text")).to_have_text("Say good morning")
    expect(page.locator(".wb-tab").nth(2)).to_contain_text("Version 1")
    output(page, 3).locator("[data-act=remove]").click()
    expect(page.locator(".wb-tab")).to_have_count(3)
    output(page, 1).locator("[data-act=duplicate]").click()
    expect(page.locator(".wb-tab").nth(2)).to_contain_text("loop/loop-large")
    output(page, 1).locator("[data-act=promote]").click()
    expect(message(page, 1)).to_have_text("Whisper {{ text }}")
    expect(page.locator(".wb-tab").first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Undo").click()
    expect(message(page, 1)).to_have_text("Say {{ text }} loudly")
    for _ in range(3):
        output(page, 1).locator("[data-act=remove]").click()
    expect(page.locator(".wb-tab")).to_have_count(1)
    expect(page.locator("#wb-edit").get_by_label("Model", exact=True)).to_be_visible()


def answer_a_tool(page: Page, provider: LoopbackProvider) -> None:
    provider.behaviour = Behaviour(tool_calls=[WEATHER], finish_reason="tool_calls", calls=1)
    page.get_by_role("button", name="Run", exact=True).click()
    answer = output(page)
    expect(answer.locator(".wb-tool")).to_contain_text("weather")
    expect(answer.locator(".wb-tool-arguments")).to_have_text(json.dumps({"city": "Oslo"}, indent=2))
    answer.get_by_label("Answer to call 1, weather").fill("{{ rain }}")
    answer.get_by_role("button", name="Answer and continue").click()
    expect(answer.locator(".wb-output-text")).to_have_text("Say good morning loudly")
    *_, asked, told = provider.completions[-1].body["messages"]
    assert asked["tool_calls"][0]["function"]["name"] == "weather"
    assert (told["role"], told["content"], told["tool_call_id"]) == ("tool", "{{ rain }}", "call_1")


def read_a_strangers_markdown(page: Page, provider: LoopbackProvider) -> None:
    """`open_page` watches: nothing may violate the content security policy either."""
    provider.behaviour = Behaviour(reply=lambda _: ATTACK)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Run", exact=True).click()
    answer = output(page)
    text = answer.locator(".wb-output-text")
    expect(text).to_contain_text("<script>window.attacked")
    answer.get_by_role("button", name="Markdown").click()
    expect(text.locator("strong")).to_have_text("1")
    assert text.locator("script, style, img, svg, iframe, [style], [onerror], [onload]").count() == 0
    links = text.locator("a").evaluate_all("links => links.map((a) => [a.href, a.target, a.rel])")
    assert {href for href, _, _ in links} == {
        "https://example.com/page",
        "https://example.com/auto",
        "https://elsewhere.example/pixel.png",
        "https://elsewhere.example/a.png",
    }
    assert {(target, rel) for _, target, rel in links} == {("_blank", "noopener noreferrer nofollow")}
    assert page.evaluate("window.attacked") is None
    own = page.url.split("/p/")[0]
    assert [url for url in asked if not url.startswith(own)] == []
