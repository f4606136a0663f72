"""What goes wrong in daily use, in a real browser on the real stack: plain words, nothing lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import Route, expect

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.datasets.importers.mapping import Mapping
from apps.evaluations.models import EvalItem, EvalRun
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.services import ProviderSettings, provider_create
from tests.e2e import steps
from tests.e2e.conftest import OpenPage, Watch
from tests.factories.core import SYSTEM, make_member, make_project, make_user
from tests.factories.datasets import import_bytes, make_dataset
from tests.factories.evaluations import make_evaluator_version
from tests.factories.prompts import make_prompt, make_version
from tests.live_stack import LiveStack
from tests.loopback_provider import LoopbackProvider

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PASSWORD = "a long enough passphrase"


@pytest.fixture
def workshop(transactional_db: None) -> Project:
    """A project with a fake provider, one prompt that takes `text`, and a dataset of 30 texts."""
    project = make_project("Workshop")
    provider_create(
        project=project, by=SYSTEM, kind="fake", settings=ProviderSettings(name="Fake"), slug="fake"
    )
    make_version(make_prompt(project, "Repeat"), "{{ text }}", parameters={"model": "fake/slow"})
    rows = "text,expected\n" + "".join(f"word {place},word {place}\n" for place in range(30))
    import_bytes(make_dataset(project, "Words"), rows, "words.csv", Mapping(["text"], "expected"))
    make_evaluator_version(project, slug="exact-match")
    return project


@pytest.fixture
def editor(workshop: Project) -> User:
    return make_member(workshop, Role.ADMIN, make_user("editor@example.com", password=PASSWORD))


def test_a_stale_save_shows_both_versions_and_loses_nothing(
    live_server: Any, workshop: Project, editor: User, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("status of 409")
    colleague = make_member(workshop, Role.EDITOR, make_user("colleague@example.com"))
    ours, theirs = (open_page(live_server.url, user=user) for user in (editor, colleague))
    for page, text in ((ours, "Ours: {{ text }}"), (theirs, "Theirs: {{ text }}")):
        page.goto(f"/p/{workshop.slug}/prompts/repeat/")
        steps.write_message(page, 1, text)
    steps.save_version(theirs, "theirs")
    expect(steps.version_saved(theirs, 2)).to_be_visible()
    steps.save_version(ours, "ours")
    conflict = ours.get_by_role("dialog", name=re.compile("saved version 2 while you were editing"))
    expect(conflict.get_by_role("textbox", name=re.compile("version 2"))).to_have_text("Theirs: {{ text }}")
    expect(conflict.get_by_role("textbox", name=re.compile("will be saved"))).to_have_text("Ours: {{ text }}")
    conflict.get_by_role("button", name="Save on top of version 2").click()
    expect(steps.version_saved(ours, 3)).to_be_visible()
    texts = (
        Prompt.objects.get(project=workshop).versions.order_by("number").values_list("messages", flat=True)
    )
    assert [messages[0]["content"] for messages in texts][1:] == ["Theirs: {{ text }}", "Ours: {{ text }}"]


def test_a_variable_that_the_dataset_lacks_is_named_before_the_run(
    live_server: Any, workshop: Project, editor: User, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("Failed to load resource")  # the refused form's status
    prompt = Prompt.objects.get(project=workshop)
    make_version(prompt, "{{ question }}", parameters={"model": "fake/echo"})
    page = open_page(live_server.url, user=editor)
    page.goto(f"/p/{workshop.slug}/runs/new/?prompt=repeat&dataset=words")
    expect(page.locator(".run-preview .alert")).to_contain_text("question")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_text("Lacks the input question.")).to_be_visible()
    expect(page.get_by_label("Dataset", exact=True)).to_have_attribute("aria-invalid", "true")
    assert not EvalRun.objects.exists()


def test_a_wrong_key_is_told_in_plain_words(
    live_stack: LiveStack,
    workshop: Project,
    editor: User,
    open_page: OpenPage,
    loopback_provider: LoopbackProvider,
) -> None:
    page = open_page(live_stack.url, user=editor)
    fields = {"Base_URL": loopback_provider.base_url, "Key": "not-the-key"}
    steps.add_provider(page, workshop.slug, "openai", "Loopback", **fields)
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#connection-test .alert-danger")).to_contain_text(re.compile("key", re.IGNORECASE))
    expect(page.locator("[data-toast]")).to_have_count(0)
    expect(page.locator("#connection-test")).to_contain_text("Failed")


def test_a_killed_worker_loses_no_result(
    live_stack: LiveStack, workshop: Project, editor: User, open_page: OpenPage
) -> None:
    page = open_page(live_stack.url, user=editor)
    steps.start_run(page, workshop.slug, prompt="Repeat", version="Version 1", dataset="Words", name="killed")
    expect(page.locator("#run-live .figures")).to_contain_text(re.compile(r"Completed\s*[1-9]"))
    live_stack.kill("llm")
    assert EvalItem.objects.exclude(status="completed").exists()
    live_stack.start("llm")
    steps.wait_for_run_slowly(page)
    assert EvalItem.objects.filter(status="completed").count() == 30
    assert EvalItem.objects.values("example_id").distinct().count() == 30


def test_the_main_actions_by_keyboard_alone(
    live_server: Any, workshop: Project, editor: User, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=editor)
    page.goto(f"/p/{workshop.slug}/prompts/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").filter(has_text="New prompt")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    steps.tab_to(page.get_by_label("Name", exact=True))
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard")
    steps.tab_to(page.get_by_role("textbox", name="Text of message 2"))
    page.keyboard.type("One\n{{ text }}")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.get_by_label("Note")).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(steps.version_saved(page, 1)).to_be_visible()
    assert saved_texts("by-keyboard", 1) == ["", "One\n{{ text }}"]
    page.keyboard.press("Shift+Tab")  # out of the text, in which an r is an r
    page.keyboard.press("r")
    page.wait_for_url("**/runs/new/**")


def test_what_is_typed_while_the_editor_still_loads_stays(
    live_server: Any, workshop: Project, editor: User, open_page: OpenPage
) -> None:
    page = open_page(live_server.url, user=editor)
    held: list[Route] = []
    page.route("**/dist/editor*.js", lambda route: held.append(route))
    with page.expect_request("**/dist/editor*.js"):
        page.goto(f"/p/{workshop.slug}/evaluators/new/?kind=json_schema")
    schema = page.locator("textarea[data-controller~=editor]").first
    schema.fill('{"type": }')
    page.keyboard.press("ArrowLeft")
    page.keyboard.type('"obj')
    held[0].continue_()
    expect(page.locator(".cm-content").first).to_be_focused()
    page.keyboard.type('ect"')
    expect(page.locator(".cm-content").first).to_have_text('{"type": "object"}')
    expect(schema).to_have_value('{"type": "object"}')


def saved_texts(prompt: str, version: int) -> list[str]:
    messages = PromptVersion.objects.get(prompt__slug=prompt, number=version).messages
    return [message["content"] for message in messages]


def test_signing_in_with_a_second_factor(
    live_server: Any, workshop: Project, editor: User, open_page: OpenPage
) -> None:
    page = open_page(live_server.url)
    steps.sign_in(page, editor.email, PASSWORD)
    page.wait_for_url(f"**/p/{workshop.slug}/")
    page.goto("/account/2fa/totp/activate/")
    if page.get_by_role("button", name="Confirm").is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
    text = page.get_by_label("Secret, to type it in instead").input_value()
    page.locator("#id_code").fill(code_of(text, step=0))
    page.get_by_role("button", name="Switch on").click()
    expect(page).not_to_have_url(re.compile("/activate/"))
    steps.sign_out(page)
    steps.sign_in(page, editor.email, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter a code")
    page.locator("#id_code").fill(code_of(text, step=1))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/p/{workshop.slug}/")


def code_of(secret: str, *, step: int) -> str:
    """The code of the next steps of 30 seconds: a code is taken once, and half a minute early is accepted."""
    return format_hotp_value(hotp_value(secret.strip(), max(yield_hotp_counters_from_time()) - 1 + step))
