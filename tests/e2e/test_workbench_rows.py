"""The workbench over rows and turns: values by one key, a trial with evaluators, a talk that fills up."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import Dataset
from apps.evaluations.evaluators import default_config, kind
from apps.evaluations.models import Evaluator
from apps.providers.models import Model
from tests.e2e.conftest import PHONE, OpenPage, Watch
from tests.e2e.steps import message
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import MODELS, Behaviour, LoopbackProvider
from tests.workbench_steps import make_endpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROWS = "word,answer\n" + "".join(f"word{n},{'word' if n else 'WORD'}{n}\n" for n in range(8))
WINDOW = 60


@pytest.fixture
def project(transactional_db: None, loopback_provider: LoopbackProvider) -> Project:
    project = make_project("Rows")
    provider = make_endpoint(project, loopback_provider)
    Model.objects.bulk_create(
        Model(provider=provider, name=name, context_window=WINDOW, input_price=1, output_price=1)
        for name in MODELS
    )
    make_version(make_prompt(project, "Repeat"), "{{ word }}", parameters={"model": "loop/loop-small"})
    assistant = make_prompt(project, "Assistant")
    messages = [{"role": "system", "content": "You are {{ manner }}."}]
    make_version(assistant, messages=messages, parameters={"model": "loop/loop-small"})
    import_bytes(make_dataset(project, "Words"), ROWS, "words.csv")
    evaluator = Evaluator.objects.create(
        project=project, slug="exact-match", name="exact-match", kind="exact_match"
    )
    evaluator.versions.create(number=1, config=default_config(kind("exact_match")))
    return project


def opened(open_page: OpenPage, url: str, project: Project, slug: str = "repeat", **more: object) -> Page:
    page = open_page(url, user=make_member(project, Role.EDITOR), **more)
    page.goto(f"/p/{project.slug}/prompts/{slug}/")
    expect(message(page, 1)).to_be_visible()
    return page


def test_values_by_one_key_and_a_trial_on_rows(
    live_stack: LiveStack, project: Project, loopback_provider: LoopbackProvider, open_page: OpenPage
) -> None:
    page = opened(open_page, live_stack.url, project)
    fill_by_one_key(page)
    try_on_rows(page)
    try_again_what_failed(page, loopback_provider)
    stop_a_trial_and_reload_in_the_middle(page, loopback_provider)
    take_it_to_a_full_run(page)


def test_a_conversation_fills_its_window_and_becomes_an_example(
    live_stack: LiveStack,
    project: Project,
    loopback_provider: LoopbackProvider,
    open_page: OpenPage,
    watch: Watch,
) -> None:
    watch.expect("status of 409")  # a full window is refused
    page = opened(open_page, live_stack.url, project, "assistant")
    page.get_by_label("manner", exact=True).fill("kind")
    talk_and_reload_in_the_middle(page, loopback_provider)
    fill_the_window(page)
    leave_out_the_oldest(page)
    have_the_rest_summarised(page, loopback_provider)
    hear_it_from_the_provider(page, loopback_provider)
    save_as_an_example(page, project)


def fill_by_one_key(page: Page) -> None:
    word = page.get_by_label("word", exact=True)
    expect(word).to_be_visible()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("n")
    expect(word).to_have_value("word0")
    page.keyboard.press("n")
    expect(word).to_have_value("word1")
    page.keyboard.press("Shift+N")
    page.keyboard.press("Shift+N")
    expect(word).to_have_value("word7")
    expect(page.locator(".wb-fill-note")).to_contain_text("Example 8 of 8")
    page.reload()
    expect(page.get_by_label("word", exact=True)).to_have_value("word7")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("n")
    expect(page.get_by_label("word", exact=True)).to_have_value("word0")


def trial(page: Page) -> Locator:
    return page.get_by_role("region", name="Try on rows")


def try_on_rows(page: Page) -> None:
    page.get_by_role("button", name="Add column").click()
    page.locator(".wb-menu").get_by_role("button", name="A copy of what the editor shows").click()
    page.locator(".wb-tab").nth(1).click()
    message(page, 1).click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Say {{ word }}")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("t")
    region = trial(page)
    region.get_by_label("First rows").fill("3")
    region.get_by_role("checkbox", name="exact-match").check()
    expect(region.get_by_text(re.compile("3 rows × 2 columns = 6 calls; about"))).to_be_visible()
    region.get_by_role("button", name="Try", exact=True).click()
    expect(region.get_by_text("Done", exact=True)).to_be_visible()
    all_rows = region.get_by_role("row", name=re.compile("^All"))
    expect(all_rows).to_contain_text("3 of 3 answered")
    expect(all_rows.get_by_role("cell").nth(0)).to_contain_text("0.667")
    expect(all_rows.get_by_role("cell").nth(0)).to_contain_text("n = 3")
    expect(all_rows.get_by_role("cell").nth(1).locator(".wb-worse")).to_be_visible()
    expect(region.locator("tbody tr").nth(2).locator(".wb-worse")).to_be_visible()
    assert not problems(page, "trial")
    region.get_by_role("button", name="word2", exact=True).click()
    expect(page.get_by_label("word", exact=True)).to_have_value("word2")


def try_again_what_failed(page: Page, loopback: LoopbackProvider) -> None:
    region = trial(page)
    loopback.behaviour = Behaviour(mode="bad-request", calls=2)
    region.get_by_role("button", name="Try", exact=True).click()
    expect(region.get_by_text("Done; 2 answers missing")).to_be_visible()
    expect(region.get_by_text("Failed", exact=True)).to_have_count(2)
    region.get_by_role("button", name="Try the missing again").click()
    expect(region.get_by_text("Done", exact=True)).to_be_visible()
    expect(region.get_by_text("Failed", exact=True)).to_have_count(0)


def stop_a_trial_and_reload_in_the_middle(page: Page, loopback: LoopbackProvider) -> None:
    region = trial(page)
    loopback.behaviour = Behaviour(latency_s=20)
    region.get_by_role("button", name="Try", exact=True).click()
    expect(region.get_by_text("6 answers to come")).to_be_visible()
    page.reload()
    expect(region.get_by_text("6 answers to come")).to_be_visible()
    region.get_by_role("button", name="Stop all").click()
    expect(region.get_by_text("Done; 6 answers missing")).to_be_visible()
    loopback.behaviour = Behaviour()
    region.get_by_role("button", name="Try the missing again").click()
    expect(region.get_by_text("Done", exact=True)).to_be_visible()


def take_it_to_a_full_run(page: Page) -> None:
    region = trial(page)
    expect(region.get_by_role("button", name="Save, to run an evaluation")).to_be_visible()
    region.get_by_role("link", name="Run evaluation").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("run", ignore_case=True)
    expect(page.get_by_label("Prompt version", exact=True)).to_have_value("1")
    expect(page.get_by_role("checkbox", name="exact-match")).to_be_checked()
    page.go_back()


def say(page: Page, text: str) -> None:
    page.get_by_label("Your turn").fill(text)
    page.keyboard.press("Control+Enter")


def turns(page: Page) -> Locator:
    return page.get_by_role("log", name="Turns").get_by_role("article")


def talk_and_reload_in_the_middle(page: Page, loopback: LoopbackProvider) -> None:
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("c")
    expect(page.get_by_label("Your turn")).to_be_focused()
    loopback.behaviour = Behaviour(chunk_delay_s=0.3)
    say(page, "one two three four five six seven eight")
    expect(turns(page).nth(1)).to_contain_text("one two")
    page.reload()
    expect(turns(page).nth(1)).to_contain_text("seven eight")
    expect(turns(page).nth(1)).to_contain_text("Total")
    loopback.behaviour = Behaviour()
    expect(page.get_by_text("19 of 60 tokens (19 counted by the provider)")).to_be_visible()
    expect(page.get_by_label("Conversations")).to_have_value(re.compile(".+"))
    assert not problems(page, "conversation")


def fill_the_window(page: Page) -> None:
    say(page, "word " * 12)
    expect(page.get_by_text("43 of 60 tokens", exact=False)).to_be_visible()
    page.get_by_label("Your turn").fill("word " * 40)
    expect(page.get_by_text(re.compile("The window is full."))).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#wb-conversation .wb-error")).to_contain_text("is full: this takes about")
    expect(turns(page)).to_have_count(4)
    expect(page.get_by_label("Your turn")).to_have_value("word " * 40)


def leave_out_the_oldest(page: Page) -> None:
    page.get_by_label("When the window is full").select_option("drop_oldest")
    page.get_by_label("Your turn").fill("alpha " * 20)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text(re.compile(r"Sent without \d earlier turns"))).to_be_visible()
    expect(page.locator(".wb-turn-gone").first).to_contain_text("no longer sent")


def have_the_rest_summarised(page: Page, loopback: LoopbackProvider) -> None:
    loopback.behaviour = Behaviour(
        reply=lambda body: "In short." if body["model"] == "loop-large" else "Agreed."
    )
    page.get_by_label("When the window is full").select_option("summarise")
    expect(page.get_by_label("Model that summarises")).to_be_visible()
    page.get_by_label("Model that summarises").select_option("loop/loop-large")
    page.get_by_label("Your turn").fill("beta " * 6)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".wb-turn-summary")).to_contain_text("In short.")
    expect(turns(page).last).to_contain_text("Agreed.")
    loopback.behaviour = Behaviour()


def hear_it_from_the_provider(page: Page, loopback: LoopbackProvider) -> None:
    page.get_by_label("Conversations").select_option(label="New conversation")
    expect(page.get_by_text("Nothing was said yet.", exact=False)).to_be_visible()
    page.get_by_label("When the window is full").select_option("refuse")
    say(page, "Hello there")
    expect(turns(page).nth(1)).to_contain_text("Hello there")
    expect(turns(page).nth(1)).to_contain_text("Total")
    loopback.behaviour = Behaviour(mode="context", calls=1)
    say(page, "And now")
    expect(page.get_by_text("Try again, and")).to_be_visible()
    page.get_by_role("button", name="Leave out the oldest turns").click()
    expect(turns(page).nth(3)).to_contain_text("And now")
    expect(page.get_by_label("When the window is full")).to_have_value("drop_oldest")


def save_as_an_example(page: Page, project: Project) -> None:
    page.get_by_text("Save as an example").click()
    page.locator("#wb-conversation").get_by_label("Dataset", exact=True).select_option("+")
    page.get_by_label("Name of the new dataset").fill("Talks")
    page.get_by_label("Reference: what the last answer should be").fill("And then")
    page.get_by_role("button", name="Save example").click()
    expect(page.locator(".wb-example")).to_contain_text("Saved in Talks, version 1.")
    assert Dataset.objects.get(project=project, slug="talks").versions.get().example_count == 1
    page.get_by_role("link", name="Show it").click()
    expect(page.get_by_text("And then").first).to_be_visible()


def test_rows_and_talk_on_a_phone(live_stack: LiveStack, project: Project, open_page: OpenPage) -> None:
    page = opened(open_page, live_stack.url, project, viewport=PHONE)
    trial(page).get_by_text("Try on rows").first.click()
    trial(page).get_by_role("button", name="Try", exact=True).click()
    expect(trial(page).get_by_text("Done", exact=True)).to_be_visible()
    page.get_by_role("button", name="Values of the next example").click()
    expect(page.get_by_label("word", exact=True)).to_have_value("word0")
    page.get_by_role("button", name="Conversation", exact=True).click()
    say(page, "Hello")
    expect(turns(page).nth(1)).to_contain_text("Total")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
