"""What is typed in the workbench is kept: saved with a note and labels, merged with what somebody else saved,
and there again after a browser was killed."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from apps.core.models import User
from apps.core.roles import Role
from apps.prompts.label_services import label_protect, label_set
from apps.prompts.models import Prompt
from apps.workbench.models import Draft
from tests.e2e import steps
from tests.e2e.conftest import PHONE, OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TEXT = "Correct the sentence.\nKeep its meaning.\nAnswer with it alone.\n\n{{ sentence }}"


@pytest.fixture
def prompt(transactional_db: None) -> Prompt:
    prompt = make_prompt(make_project("Grammar"), "Fix")
    first = make_version(prompt, TEXT, parameters={"temperature": 0.5}, commit_message="the first")
    label_set(prompt=prompt, by=SYSTEM, name="staging", version=first)
    return prompt


@pytest.fixture
def editor(prompt: Prompt) -> User:
    return make_member(prompt.project, Role.EDITOR)


class Workbench:
    """Opens the prompt's page for somebody, in a browser session of its own."""

    def __init__(self, prompt: Prompt, url: str, open_page: OpenPage) -> None:
        self.prompt, self.url, self.open_page = prompt, url, open_page

    def __call__(self, user: User, **options: Any) -> Page:
        page = self.open_page(self.url, user=user, **options)
        page.goto(f"/p/{self.prompt.project.slug}/prompts/{self.prompt.slug}/")
        expect(steps.message(page, 1)).to_be_visible()
        expect(versions(page).get_by_role("link", name="Version 1", exact=True)).to_be_visible()
        return page


@pytest.fixture
def workbench(prompt: Prompt, live_server: Any, open_page: OpenPage) -> Workbench:
    return Workbench(prompt, live_server.url, open_page)


def versions(page: Page) -> Locator:
    return page.get_by_role("region", name="Versions", exact=True)


def state(page: Page) -> Locator:
    return page.locator("#wbs-state")


def saved_draft(page: Page) -> None:
    expect(state(page)).to_contain_text(re.compile(r"Draft saved \d"))


def end_of(page: Page, number: int, text: str) -> None:
    """Type at the end of a message."""
    steps.message(page, number).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(text)


def text_of(prompt: Prompt, number: int) -> str:
    return str(prompt.versions.get(number=number).messages[0]["content"])


def test_a_version_is_saved_with_a_note_and_labels(
    workbench: Workbench, prompt: Prompt, editor: User
) -> None:
    label_set(prompt=prompt, by=SYSTEM, name="production", version=prompt.versions.get())
    label_protect(project=prompt.project, by=SYSTEM, name="production")
    page = workbench(editor)
    end_of(page, 1, " Be brief.")
    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog", name="Save a version")
    expect(dialog.get_by_text("1 message changed.")).to_be_visible()
    expect(dialog.locator(".cm-mergeView .cm-changedText").first).to_be_visible()
    expect(dialog.get_by_label(re.compile("production, .* protected"))).to_be_disabled()
    staging = dialog.get_by_label(re.compile("staging, now on version 1"))
    staging.check()  # before the width changes, and the difference with it
    assert not problems(page, "saving")
    expect(staging).to_be_checked()
    dialog.get_by_label("Note").fill("shorter answers")
    dialog.get_by_label("New label").fill("candidate")
    dialog.get_by_role("button", name="Save version").click()
    row = versions(page).get_by_role("listitem").filter(has_text="Version 2")
    expect(row).to_contain_text("shorter answers")
    expect(row).to_contain_text("staging")
    expect(row).to_contain_text("candidate")
    assert text_of(prompt, 2) == f"{TEXT} Be brief."
    page.reload()
    expect(page.locator("#wbt-draft")).to_have_text("Unchanged since version 2")


def test_what_cannot_be_saved_is_told_by_its_place(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("422")
    page = workbench(editor)
    steps.write_message(page, 1, "one {% for %}")
    steps.save_version(page, "broken")
    alert = page.get_by_role("dialog", name="Save a version").get_by_role("alert")
    expect(alert).to_have_text(re.compile("^Message 1, line 1: "))
    saved_draft(page)
    assert prompt.versions.count() == 1


def test_what_only_saving_finds_is_marked_at_its_field(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("422")
    watch.expect("503")
    page = workbench(editor)
    page.route("**/check/", lambda route: route.fulfill(status=503))
    temperature = page.get_by_label("Temperature", exact=True)
    temperature.fill("9")
    expect(temperature).not_to_have_class(re.compile("is-invalid"))
    steps.save_version(page, "hotter")
    dialog = page.get_by_role("dialog", name="Save a version")
    expect(dialog.get_by_role("alert")).to_contain_text("Temperature")
    expect(temperature).to_have_class(re.compile("is-invalid"))
    dialog.get_by_role("button", name="Cancel").click()
    expect(temperature).to_be_focused()
    page.unroute("**/check/")
    temperature.fill("1")
    expect(temperature).not_to_have_class(re.compile("is-invalid"))
    saved_draft(page)


def test_two_people_save_and_the_second_chooses_piece_by_piece(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("409")
    second = make_member(prompt.project, Role.EDITOR)
    ada, ben = workbench(editor), workbench(second)
    steps.write_message(ada, 1, "Correct it.")
    steps.save_version(ada, "much shorter")
    expect(steps.version_saved(ada, 2)).to_be_visible()

    end_of(ben, 1, " Please.")
    ben.get_by_label("Temperature", exact=True).first.fill("0.9")
    saved_draft(ben)
    steps.save_version(ben, "politer")
    merge = ben.get_by_role("dialog", name=re.compile("saved version 2 while you were editing"))
    expect(merge).to_contain_text("much shorter")
    expect(merge.locator(".wbm-conflict").first).to_contain_text("both changed")
    expect(merge.get_by_label("Temperature", exact=True).first).to_contain_text("Mine: 0.9")
    mine = merge.get_by_role("textbox", name=re.compile("what will be saved")).first
    expect(mine).to_contain_text("Please.")
    assert not problems(ben, "merging")
    merge.get_by_role("button", name=re.compile("Message 1 · user: take theirs")).press("Enter")
    expect(mine).to_have_text("Correct it.")
    ben.keyboard.press("ControlOrMeta+End")
    ben.keyboard.type(" Please.")
    # Put off, it is kept with the draft, also where the browser is another.
    merge.get_by_role("button", name="Decide later").click()
    saved_draft(ben)
    assert Draft.objects.get(owner=second).document["merging"]["theirs"] == 2
    ben.reload()
    ben.get_by_role("button", name="Go on merging").click()
    expect(mine).to_have_text("Correct it. Please.")
    merge.get_by_role("button", name="Save on top of version 2").click()
    expect(steps.version_saved(ben, 3)).to_be_visible()
    assert text_of(prompt, 3) == "Correct it. Please."
    version = prompt.versions.get(number=3)
    assert (version.parameters["temperature"], version.commit_message) == (0.9, "politer")
    expect(steps.message(ben, 1)).to_have_text("Correct it. Please.")


def test_different_changes_come_together_by_themselves(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("409")
    page = workbench(editor)
    end_of(page, 1, " Please.")
    saved_draft(page)
    make_version(prompt, TEXT.replace("Correct", "Mend"), parameters={"temperature": 0.5})
    steps.save_version(page, "")
    merge = page.get_by_role("dialog", name=re.compile("saved version 2"))
    expect(merge).to_contain_text("nothing that you must choose")
    merge.get_by_role("button", name="Save on top of version 2").click()
    expect(steps.version_saved(page, 3)).to_be_visible()
    assert text_of(prompt, 3) == TEXT.replace("Correct", "Mend") + " Please."


def test_somebody_elses_version_is_told_while_typing(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("409")
    page = workbench(editor)
    make_version(prompt, "Theirs: {{ sentence }}", parameters={"temperature": 0.5})
    end_of(page, 1, " Mine.")
    notice = page.get_by_role("region", name="A newer version")
    expect(notice).to_contain_text("Version 2 was saved by tests")
    expect(steps.version_saved(page, 2)).to_be_visible()
    notice.get_by_role("button", name="Show what differs").click()
    dialog = page.get_by_role("dialog", name="Version 2 → Draft")
    expect(dialog).to_contain_text("1 message changed.")
    dialog.get_by_role("button", name="Close").click()
    notice.get_by_role("button", name="Put the two together").click()
    merge = page.get_by_role("dialog", name=re.compile("saved version 2"))
    merge.get_by_role("button", name="Drop mine").click()
    expect(steps.message(page, 1)).to_have_text("Theirs: {{ sentence }}")
    page.get_by_role("button", name="Undo").click()
    expect(steps.message(page, 1)).to_contain_text("Mine.")


def test_a_draft_is_there_again_after_the_browser_was_killed(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    page = workbench(editor)
    end_of(page, 1, " Never lost.")
    saved_draft(page)
    watch.expect("crash")
    kill(page)
    page.context.close()
    again = workbench(editor)
    expect(steps.message(again, 1)).to_contain_text("Never lost.")
    expect(again.locator("#wbt-draft")).to_have_text("From version 1")


def kill(page: Page) -> None:
    """End the page's process, as the system does when memory is short: no event tells the page."""
    with page.expect_event("crash"), suppress(Error):
        page.goto("chrome://crash")


def test_what_was_not_sent_yet_is_kept_in_the_browser(
    workbench: Workbench, prompt: Prompt, editor: User, watch: Watch
) -> None:
    watch.expect("Failed to load resource")
    watch.expect("Failed to fetch")
    page = workbench(editor)
    lost: list[Route] = []
    page.route("**/draft/", lambda route: (lost.append(route), route.abort())[1])
    end_of(page, 1, " Offline.")
    expect(state(page)).to_contain_text("Not saved: the server cannot be reached; kept in this browser")
    assert not Draft.objects.exists()
    other = page.context.new_page()
    page.close()
    other.goto(page.url)
    expect(steps.message(other, 1)).to_contain_text("Offline.")
    saved_draft(other)
    assert "Offline." in str(Draft.objects.get().document)


def test_a_draft_goes_on_on_another_machine(workbench: Workbench, editor: User, watch: Watch) -> None:
    watch.expect("409")
    one, two = workbench(editor), workbench(editor)
    end_of(one, 1, " From one.")
    saved_draft(one)
    end_of(two, 1, " From two.")
    choice = two.get_by_role("dialog", name="Two drafts")
    expect(choice).to_be_visible()
    choice.get_by_role("button", name=re.compile("Take the other")).click()
    expect(steps.message(two, 1)).to_contain_text("From one.")
    two.get_by_role("button", name="Undo").click()
    expect(steps.message(two, 1)).to_contain_text("From two.")
    saved_draft(two)
    assert "From two." in str(Draft.objects.get().document)


def test_two_tabs_of_one_browser_follow_each_other(workbench: Workbench, editor: User) -> None:
    one = workbench(editor)
    two = one.context.new_page()
    two.goto(one.url)
    expect(steps.message(two, 1)).to_be_visible()
    end_of(one, 1, " In tab one.")
    expect(steps.message(two, 1)).to_contain_text("In tab one.")
    end_of(two, 1, " In tab two.")
    expect(steps.message(one, 1)).to_contain_text("In tab one. In tab two.")


def test_a_draft_is_discarded_and_had_back(workbench: Workbench, editor: User) -> None:
    page = workbench(editor)
    end_of(page, 1, " A bad idea.")
    saved_draft(page)
    page.get_by_role("button", name="Discard draft").click()
    expect(steps.message(page, 1)).not_to_contain_text("bad idea")
    page.get_by_role("button", name="Undo").click()
    expect(steps.message(page, 1)).to_contain_text("A bad idea.")
    saved_draft(page)


def test_two_versions_are_picked_and_compared_by_keyboard(
    workbench: Workbench, prompt: Prompt, editor: User
) -> None:
    make_version(prompt, TEXT.replace("Correct", "Mend"), parameters={"temperature": 0.9})
    page = workbench(editor)
    versions(page).get_by_role("link", name="Version 2", exact=True).focus()
    page.keyboard.press("x")
    page.keyboard.press("j")
    expect(versions(page).get_by_role("link", name="Version 1", exact=True)).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog", name="Version 1 → Version 2")
    expect(dialog).to_contain_text("1 message changed; temperature changed.")
    expect(dialog.get_by_role("row", name=re.compile("Temperature"))).to_contain_text("0.5")
    expect(dialog.locator(".cm-merge-a .cm-changedText").first).to_have_text("Correct")
    assert not problems(page, "the difference")
    dialog.get_by_role("button", name="Swap").click()
    expect(page.get_by_role("dialog", name="Version 2 → Version 1")).to_be_visible()
    page.keyboard.press("Escape")
    versions(page).get_by_label("Search versions").fill("Mend")
    expect(versions(page).get_by_role("listitem")).to_have_count(1)


def test_an_older_version_is_opened_and_saved_on_top(
    workbench: Workbench, prompt: Prompt, editor: User
) -> None:
    make_version(prompt, "Newer")
    page = workbench(editor)
    versions(page).get_by_label("Actions for version 1").click()
    page.get_by_role("button", name="Open in the editor").first.click()
    expect(steps.message(page, 1)).to_contain_text("Correct the sentence.")
    end_of(page, 1, " Back.")
    steps.save_version(page, "back to the first")
    expect(steps.version_saved(page, 3)).to_be_visible()
    assert text_of(prompt, 3) == f"{TEXT} Back."


def test_saving_and_comparing_on_a_phone(workbench: Workbench, prompt: Prompt, editor: User) -> None:
    make_version(prompt, TEXT.replace("Correct", "Mend"))
    page = workbench(editor, viewport=PHONE)
    versions(page).get_by_label("Compare version 1", exact=True).check()
    versions(page).get_by_label("Compare version 2", exact=True).check()
    versions(page).get_by_role("button", name="Compare", exact=True).click()
    dialog = page.get_by_role("dialog", name="Version 1 → Version 2")
    expect(dialog.locator(".cm-editor")).to_have_count(1)
    assert dialog.evaluate("element => element.scrollWidth <= element.clientWidth")
    dialog.get_by_role("button", name="Close").click()
    end_of(page, 1, " Small.")
    steps.save_version(page, "on a phone")
    expect(steps.version_saved(page, 3)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
