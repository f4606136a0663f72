"""Things a person does in the browser, named as they would say it. Each waits for what it leads to."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)


def tab_to(target: Locator, *, at_most: int = 60) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    expect(target).to_be_visible()
    for _ in range(at_most):
        target.page.keyboard.press("Tab")
        if target.evaluate("element => element.matches(':focus')"):  # also in a shadow tree
            return
    raise AssertionError(f"Tab does not reach {target} within {at_most} presses.")


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/account/login/**")


def add_provider(page: Page, project: str, kind: str, name: str, **fields: str) -> None:
    page.goto(f"/p/{project}/providers/new/")
    page.locator(f"input[name=kind][value={kind}]").check()
    page.get_by_label("Name", exact=True).fill(name)
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def message(page: Page, number: int) -> Locator:
    """The text of one message in the workbench's editor."""
    return page.get_by_role("textbox", name=f"Text of message {number}", exact=True)


def write_message(page: Page, number: int, text: str) -> None:
    """Replace the text of one message in the workbench."""
    editor = message(page, number)
    editor.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)
    # A bracket or a name that is completed may have a list of words open.
    page.keyboard.press("Escape")


def write_schema(page: Page, text: str) -> None:
    """Replace the text of the first code field of a form."""
    page.locator(".cm-content").first.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def save_dialog(page: Page) -> Locator:
    """The dialogue that asks for a note and labels, opened."""
    page.get_by_role("button", name="Save version", exact=True).first.click()
    dialog = page.get_by_role("dialog", name="Save a version")
    expect(dialog).to_be_visible()
    return dialog


def save_version(page: Page, note: str) -> None:
    dialog = save_dialog(page)
    dialog.get_by_label("Note").fill(note)
    dialog.get_by_role("button", name="Save version").click()


def version_saved(page: Page, number: int) -> Locator:
    """The version's link in the prompt's list of versions; it is there once it was saved."""
    versions = page.get_by_role("region", name="Versions", exact=True)
    return versions.get_by_role("link", name=f"Version {number}", exact=True)


def import_file(page: Page, project: str, name: str, file: Path, uses: dict[str, str]) -> None:
    """Make a dataset, upload a file into it and say what its columns are."""
    page.goto(f"/p/{project}/datasets/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create, then choose a file").click()
    page.get_by_label("A CSV, JSON lines or Parquet file").set_input_files(file)
    page.get_by_role("button", name="Upload and preview").click()
    for column, use in uses.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=column, exact=True))
        row.get_by_role("combobox").select_option(use)


def start_run(page: Page, project: str, *, prompt: str, version: str, dataset: str, name: str) -> int:
    """Start a run with all evaluators there are; its number."""
    page.goto(f"/p/{project}/runs/new/")
    choose(page, "Prompt", prompt)
    choose(page, "Prompt version", version)
    choose(page, "Dataset", dataset)
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_text("Name, repetitions and limits").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url("**/runs/*/", wait_until="domcontentloaded")
    return int(page.url.rstrip("/").split("/")[-1])


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option of a select whose change makes the server draw the form again."""
    select = page.get_by_label(label, exact=True)
    if select.locator("option:checked").inner_text().startswith(option):
        return
    value = select.locator("option", has_text=option).first.get_attribute("value")
    with page.expect_response(lambda answer: "/runs/new/" in answer.url):
        select.select_option(value)
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def wait_for_run(page: Page, status: str = "Completed") -> None:
    """Wait until the run's page says that the run has ended and its figures are made."""
    expect(page.locator("#run-live .run-state")).to_contain_text(status)
    expect(page.locator("#run-live")).not_to_contain_text("Summaries are being computed")


def wait_for_run_slowly(page: Page) -> None:
    """The same after a worker died: its items come back when their leases have run out."""
    expect(page.locator("#run-live .run-state")).to_contain_text("Completed", timeout=5 * PATIENCE_MS)
    wait_for_run(page)
