"""Prompts leave one project as a file and come into another, and are found in the list, in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import prompt_tag
from tests.e2e.conftest import PHONE, OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TEXT = "Trailing \n\ttab {% if loud is defined %}!{% endif %} {{ sentence }} 👋\n"


@pytest.fixture
def version(transactional_db: None) -> PromptVersion:
    project = make_project("Writers")
    prompt = make_prompt(project, "Fix grammar", folder="support/replies")
    prompt_tag(prompt=prompt, by=SYSTEM, tags=["english"])
    return make_version(prompt, TEXT, parameters={"temperature": 0.5}, commit_message="the first")


def opened(project: Project, live_server: Any, open_page: OpenPage, **options: Any) -> Page:
    page = open_page(live_server.url, user=make_member(project, Role.EDITOR), **options)
    page.goto(f"/p/{project.slug}/prompts/")
    return page


def downloaded(page: Page, format: str, folder: Path) -> Path:
    page.get_by_label("Format").select_option(format)
    page.get_by_role("button", name="Show").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("^Download")).click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def test_a_prompt_goes_to_another_project_and_comes_back_the_same(
    version: PromptVersion, live_server: Any, open_page: OpenPage, tmp_path: Path
) -> None:
    project = version.prompt.project
    page = opened(project, live_server, open_page)
    page.get_by_role("link", name="Fix grammar").click()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Export as a file").click()
    ours = downloaded(page, "yaml", tmp_path)
    theirs = downloaded(page, "langfuse", tmp_path)
    expect(page.get_by_text("Langfuse does not carry all of it")).to_be_visible()
    assert not problems(page, "export")

    other = make_project("Readers")
    page = opened(other, live_server, open_page)
    page.get_by_role("link", name="Import", exact=True).first.click()
    page.get_by_label("A file").set_input_files(ours)
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Read as YAML. Nothing is saved yet.")).to_be_visible()
    assert not problems(page, "preview")
    assert not Prompt.objects.filter(project=other).exists()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Fix grammar")
    copy = PromptVersion.objects.get(prompt__project=other)
    assert (copy.messages, copy.parameters) == (version.messages, version.parameters)
    assert copy.commit_message == "the first"

    page.goto(f"/p/{other.slug}/prompts/fix-grammar/export/")
    again = downloaded(page, "yaml", tmp_path / "again")
    assert again.read_bytes() == ours.read_bytes()

    page.goto(f"/p/{other.slug}/prompts/-/import/")
    page.get_by_label("Or its text").fill(theirs.read_text(encoding="utf-8").replace("Trailing", "Changed"))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Makes version 2 of fix-grammar")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Another")
    page.get_by_label("Next version of").fill("")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("Makes the new prompt another")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Another")


def test_a_file_that_cannot_be_read_says_where(
    version: PromptVersion, live_server: Any, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect("400 (Bad Request)")
    page = opened(version.prompt.project, live_server, open_page, viewport=PHONE)
    page.get_by_role("link", name="Import", exact=True).first.click()
    page.get_by_label("Or its text").fill("format: llmops-web/prompt\nname: [\n")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("this is not YAML")).to_be_visible()
    expect(page.get_by_label("Or its text")).to_have_value(re.compile("llmops-web/prompt"))
    assert not problems(page, "refused")


@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, PHONE])
def test_prompts_are_found_by_words_folders_and_tags_and_moved(
    version: PromptVersion, live_server: Any, open_page: OpenPage, viewport: dict[str, int]
) -> None:
    project = version.prompt.project
    make_version(make_prompt(project, "Refund", folder="shop"), "Say when the money comes back.")
    make_version(version.prompt, "Nothing of the sort")
    page = opened(project, live_server, open_page, viewport=viewport)
    table = page.get_by_role("table", name="Prompts")
    page.keyboard.press("/")
    page.keyboard.type("trailing tab")
    page.keyboard.press("Enter")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_role("link", name="Version 1")).to_be_visible()
    expect(table.locator("mark").first).to_have_text("Trailing")
    assert not problems(page, "search")
    page.set_viewport_size(viewport)  # type: ignore[arg-type]
    page.goto(f"/p/{project.slug}/prompts/")
    page.get_by_role("navigation", name="Folders").get_by_role("link", name="support").click()
    expect(table.get_by_role("row")).to_have_count(2)
    page.get_by_role("navigation", name="Tags").get_by_role("link", name="english").click()
    expect(table.get_by_role("link", name="Fix grammar")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("checkbox", name="Choose Fix grammar").check()
    page.get_by_label("Move the ticked ones to").fill("shop/grammar")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("1 prompt moved to “shop/grammar”.")).to_be_visible()
    assert not problems(page, "list")
    version.prompt.refresh_from_db()
    assert version.prompt.folder == "shop/grammar"


def test_what_is_copied_is_the_program_as_it_is_shown(
    version: PromptVersion, live_server: Any, open_page: OpenPage
) -> None:
    page = opened(version.prompt.project, live_server, open_page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Fix grammar").click()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="Use this prompt").click()
    page.get_by_label("Version").select_option("1")
    page.get_by_role("button", name="Show").click()
    assert not problems(page, "use")
    page.get_by_role("button", name="Copy Python").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_role("region", name="Python").locator("pre").text_content()
    compile(copied, "use.py", "exec")
