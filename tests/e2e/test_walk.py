"""The main job by hand, on the real stack in a real browser: first admin to comparison."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.core.accounts import first_admin_link
from apps.evaluations.models import EvalItem
from tests.e2e import steps
from tests.e2e.conftest import OpenPage
from tests.live_stack import LiveStack

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EMAIL, PASSWORD, PROJECT = "ada@example.com", "a long enough passphrase", "words"
#: `echo` is right on 16 lower-case references, `upper` on 2 in capitals, both on 2 without letters.
LOWER = [f"plain word number {place}" for place in range(16)]
CAPITALS = ["shout one", "shout two"]
DIGITS = ["1024", "2048"]
MEANS = {"upper": "0.200", "echo": "0.900"}


@pytest.fixture
def words_csv(tmp_path: Path) -> Path:
    """20 good rows; line 12 has a cell too many."""
    rows = [f"{text},{text}" for text in LOWER]
    rows += [f"{text},{text.upper()}" for text in CAPITALS] + [f"{text},{text}" for text in DIGITS]
    rows.insert(10, "one,cell,too many")
    file = tmp_path / "words.csv"
    file.write_text("text,expected\n" + "\n".join(rows) + "\n")
    return file


def test_from_the_first_admin_to_a_comparison(
    live_stack: LiveStack, open_page: OpenPage, words_csv: Path
) -> None:
    page = open_page(live_stack.url)
    become_the_first_admin(page)
    steps.sign_out(page)
    steps.sign_in(page, EMAIL, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Words")
    connect_the_fake_provider(page)
    write_two_versions(page)
    look_at_the_difference(page)
    import_the_words(page, words_csv)
    make_an_evaluator(page)
    runs = [run_to_its_end(page, version, model) for version, model in ((1, "upper"), (2, "echo"))]
    open_a_result_by_keyboard(page)
    compare(page, *runs)
    assert EvalItem.objects.filter(status="completed").count() == 40


def become_the_first_admin(page: Page) -> None:
    link = first_admin_link()
    assert link
    page.goto("/")
    expect(page).to_have_url(re.compile("/begin/"))
    page.goto(link)
    page.get_by_label("Your email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_label("First project").fill("Words")
    page.get_by_role("button", name="Begin").click()
    expect(page).to_have_url(re.compile(f"/p/{PROJECT}/$"))


def connect_the_fake_provider(page: Page) -> None:
    steps.add_provider(page, PROJECT, "fake", "Fake")
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#connection-test")).to_contain_text("models")
    expect(page.locator("#connection-test")).to_contain_text("Tested")
    page.reload()
    expect(page.get_by_role("table", name="Models")).to_contain_text("upper")


def write_two_versions(page: Page) -> None:
    page.goto(f"/p/{PROJECT}/prompts/-/new/")
    page.get_by_label("Name", exact=True).fill("Repeat")
    page.get_by_role("button", name="Create and write the messages").click()
    steps.write_message(page, 1, "Shout it.")
    steps.write_message(page, 2, "{{ text }}")
    page.get_by_label("Model", exact=True).select_option("fake/upper")
    page.get_by_label("text", exact=True).fill("good morning")
    page.get_by_role("button", name="Preview message 2").click()
    expect(page.get_by_role("listitem", name="Message 2").locator(".wb-preview")).to_have_text("good morning")
    page.get_by_role("button", name="Preview message 2").click()
    steps.save_version(page, "In capitals")
    expect(steps.version_saved(page, 1)).to_be_visible()
    steps.write_message(page, 1, "Say it again.")
    page.get_by_label("Model", exact=True).select_option("fake/echo")
    page.keyboard.press("Control+s")
    page.keyboard.press("Control+s")
    expect(steps.version_saved(page, 2)).to_be_visible()


def look_at_the_difference(page: Page) -> None:
    for number in (1, 2):
        page.get_by_label(f"Compare version {number}", exact=True).check()
    page.keyboard.press("d")
    page.get_by_role("link", name="The difference as a page").click()
    changed = page.get_by_role("region", name="What changed")
    expect(changed.locator("del").filter(has_text="Shout")).to_be_visible()
    expect(changed.locator("ins").filter(has_text="fake/echo")).to_be_visible()


def import_the_words(page: Page, file: Path) -> None:
    steps.import_file(page, PROJECT, "Words", file, {"text": "Input", "expected": "Reference"})
    reason = "The row has 3 cells, but the file has 2"
    expect(page.get_by_role("status").filter(has_text=reason)).to_contain_text("Line 12")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("20 rows imported as")).to_be_visible()
    rejected = page.get_by_role("table", name="Rejected rows").get_by_role("row")
    expect(rejected).to_have_count(2)
    expect(rejected.last).to_contain_text(re.compile(f"12.*{reason}", re.DOTALL))
    page.get_by_role("link", name="See the examples").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(21)


def make_an_evaluator(page: Page) -> None:
    page.goto(f"/p/{PROJECT}/evaluators/new/")
    page.get_by_role("link", name="Exact match").click()
    page.get_by_label("Name", exact=True).fill("Exact")
    page.get_by_label("An output").fill("Yes")
    page.get_by_label("Its reference").fill("yes")
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("#trial dd").first).to_have_text("0.000")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Exact")


def run_to_its_end(page: Page, version: int, model: str) -> int:
    number = steps.start_run(
        page, PROJECT, prompt="Repeat", version=f"Version {version}", dataset="Words", name=model
    )
    steps.wait_for_run(page)
    expect(page.locator("#run-live .figures")).to_contain_text(re.compile(r"Completed\s*20"))
    summary = page.get_by_role("table", name="Summary of each metric").get_by_role("row").last
    expect(summary).to_contain_text(MEANS[model])
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    expect(page.get_by_role("table", name="Results").get_by_role("row")).to_have_count(21)
    return number


def open_a_result_by_keyboard(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="Details")
    expect(drawer).to_contain_text(LOWER[0])
    page.keyboard.press("j")
    expect(drawer).to_contain_text(LOWER[1])
    expect(drawer).to_contain_text("Messages as they were sent")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def compare(page: Page, baseline: int, candidate: int) -> None:
    page.goto(f"/p/{PROJECT}/comparisons/new/?baseline={baseline}")
    page.get_by_role("checkbox", name=re.compile(f"#{candidate}|echo")).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".verdict")).to_contain_text("echo is better than upper")
    expect(page.locator(".verdict")).to_contain_text("+70.0 points, 95% interval")
    card = page.locator(".metric-card").first
    expect(card).to_contain_text("16 won · 2 tied · 2 lost")
    expect(card).to_contain_text(re.compile(r"\+70\.0 points.*20\.0%.*90\.0%", re.DOTALL))
    rows = page.get_by_role("table", name="Examples side by side").get_by_role("row")
    expect(rows).to_have_count(21)
    expect(rows.nth(1)).to_contain_text(re.compile("Better|Worse"))  # what differs comes first
    expect(rows.filter(has_text="PLAIN WORD NUMBER 3")).to_contain_text("plain word number 3")
    page.get_by_role("link", name=re.compile("^Worse")).click()
    expect(rows).to_have_count(3)
