"""Evaluators in the browser: kinds, a trial on an example, rules with conditions, and what a run shows."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import Evaluator
from tests.e2e.conftest import OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project, make_user
from tests.factories.evaluations import make_dataset_version, make_evaluator_version, make_run
from tests.unit.evaluations.test_finalizing import evaluator, finished_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Measures")


@pytest.fixture
def page(live_server: Any, project: Project, open_page: OpenPage) -> Page:
    user = make_member(project, Role.EDITOR, make_user("editor@example.com"))
    return open_page(live_server.url, user=user)


def without_problems(page: Page, name: str) -> None:
    found = problems(page, name)
    assert not found, "\n".join(found)


def test_a_kind_is_found_tried_on_an_example_and_saved(page: Page, project: Project) -> None:
    version = make_dataset_version(project, 3, name="Sums")
    make_run(project, version, outputs=["It is 1", "2", "4"])
    page.goto(f"/p/{project.slug}/evaluators/")
    page.get_by_role("link", name="New evaluator").click()
    for group in ("Text", "Structure", "Reference", "Classification", "Limits", "Rules"):
        expect(page.get_by_role("heading", name=group, exact=True)).to_be_visible()
    without_problems(page, "kinds")
    page.get_by_label("Search kinds").fill("edits insertions")
    page.keyboard.press("Enter")
    page.get_by_label("Search kinds").fill("insertions")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Text", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Limits", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Levenshtein distance").click()

    page.get_by_label("Take an example of").select_option(label="Sums")
    page.get_by_label("Number", exact=True).fill("1")
    page.get_by_role("button", name="Fill in").click()
    expect(page.get_by_label("An output")).to_have_value("It is 1")
    expect(page.get_by_label("Its reference")).to_have_value("1")
    page.get_by_role("button", name="Score it").click()
    trial = page.locator("#trial")
    expect(trial).to_contain_text("Distance")
    expect(trial).to_contain_text("6.000")
    without_problems(page, "form with a trial")

    page.get_by_label("An output").fill("1")
    page.get_by_role("button", name="Score it").click()
    expect(trial).to_contain_text("1.000")
    page.get_by_label("Number", exact=True).fill("99")
    page.get_by_role("button", name="Fill in").click()
    expect(page.get_by_role("alert")).to_have_text("Sums has examples 1 to 3.")
    assert not Evaluator.objects.exists()

    page.get_by_label("Name").fill("Edits")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Edits")
    expect(page.get_by_text("edits.similarity")).to_be_visible()
    without_problems(page, "detail")


def test_a_rule_is_put_together_in_rows(page: Page, project: Project, watch: Watch) -> None:
    watch.expect("Failed to load resource")  # a form that is refused says so by its status
    make_evaluator_version(project, "exact_match", "exact")
    page.goto(f"/p/{project.slug}/evaluators/new/?kind=passes_if")
    page.get_by_label("Name").fill("Good enough")
    items = page.get_by_role("group", name="An item passes if")
    items.get_by_label("Metric").first.fill("exact")
    items.get_by_label("Number").first.fill("1")
    items.get_by_label("Weight").first.fill("2")
    items.get_by_role("button", name="Add a condition").click()
    expect(items.get_by_label("Metric")).to_have_count(3)
    items.get_by_label("Metric").nth(2).fill("length.length")
    items.get_by_label("is", exact=True).nth(2).select_option(label="at most")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Condition 2 has no number to compare with.")).to_be_visible()
    items.get_by_label("Number").nth(1).fill("80")
    items.get_by_role("button", name="Remove condition 3").click()

    page.get_by_label("Its other scores").fill('{"exact": 1, "length.length": 100}')
    page.get_by_role("button", name="Score it").click()
    expect(page.locator("#trial")).to_contain_text("Not met: length.length at most 80")
    without_problems(page, "rule")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("exact at least 1 (weight 2)")).to_be_visible()
    expect(page.get_by_text("length.length at most 80 (weight 1)")).to_be_visible()


def test_a_run_shows_spread_confusions_and_how_figures_came_about(page: Page, project: Project) -> None:
    outputs = ["1", "1", "2", "1", "3", "3"]
    versions = [evaluator(project, "classification", "topic"), evaluator(project, "bleu", "bleu")]
    run = finished_run(project, outputs, versions, repetitions=2)
    page.goto(f"/p/{project.slug}/runs/{run.number}/")
    metrics = page.get_by_role("table", name="Summary of each metric")
    expect(metrics.get_by_role("columnheader", name="Spread")).to_be_visible()
    expect(metrics.get_by_role("row").filter(has_text="Accuracy")).to_contain_text("whole run")
    page.get_by_text("Verdicts, categories and methods").click()
    confusions = page.get_by_role("region", name="Confusions of topic, F1").get_by_role("table")
    second = confusions.get_by_role("row").filter(has=page.get_by_role("rowheader", name="2", exact=True))
    expect(second.get_by_role("cell")).to_have_text(["1", "1", "0"])
    expect(page.get_by_text("BLEU|nrefs:1|case:mixed")).to_be_visible()
    results = page.locator("#run-results")
    expect(results.get_by_role("columnheader").filter(has_text="Correct")).to_have_count(1)
    expect(results.get_by_role("columnheader").filter(has_text="Accuracy")).to_have_count(0)
    without_problems(page, "run")
