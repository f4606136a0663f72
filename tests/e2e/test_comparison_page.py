"""A comparison in a browser: what is in sight at once, and how its parts move together."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.models import Comparison
from tests.e2e.conftest import OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SIZE = 90
NAMES = ("Zero-shot", "Few-shot", "Chain of thought", "Fine-tuned")


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Which is better")


def compared(project: Project, *, runs: int, metrics: int) -> Comparison:
    """Each run is better than the one before on levels 0 and 1 of the dataset, and worse on level 2."""
    version = make_dataset_version(project, SIZE)
    evaluators = [
        make_evaluator_version(project, "exact_match", f"match-{runs}-{number}") for number in range(metrics)
    ]
    made = [
        make_run(
            project,
            version,
            evaluators=evaluators,
            outputs=[f"{NAMES[run]} says {place + run} and some more words" for place in range(SIZE)],
            scores={
                each.evaluator.slug: [
                    float((place // 3 + number) % 4 >= run) if place % 3 == 2 else float(place % 4 <= run)
                    for place in range(SIZE)
                ]
                for number, each in enumerate(evaluators)
            },
            name=NAMES[run],
            primary_metric=evaluators[0].evaluator.slug,
        )
        for run in range(runs)
    ]
    comparison = make_comparison(project, *made, primary=evaluators[0].evaluator.slug)
    for part, column in (("slices", "level"), ("distributions", ""), ("preferences", "")):
        figures_make(comparison.pk, made[0].pk, part, column)
    return comparison


def opened(open_page: OpenPage, live_server: Any, comparison: Comparison, query: str = "") -> Page:
    page = open_page(live_server.url, user=make_member(comparison.project, Role.EDITOR))
    page.goto(f"/p/{comparison.project.slug}/comparisons/{comparison.number}/{query}")
    return page


def test_verdict_cards_and_six_rows_are_in_sight_together(
    live_server: Any, project: Project, open_page: OpenPage
) -> None:
    page = opened(open_page, live_server, compared(project, runs=2, metrics=5))
    for text in ("Few-shot", "Cost of a call", "Latency of a call"):
        expect(page.locator("#comparison-summary").get_by_text(text).first).to_be_in_viewport(ratio=1)
    expect(page.locator(".metric-card")).to_have_count(7)
    rows = page.locator("#comparison-rows tbody tr")
    for place in range(6):
        expect(rows.nth(place)).to_be_in_viewport(ratio=1)


def test_cards_panels_and_rows_keep_what_the_others_chose(
    live_server: Any, project: Project, open_page: OpenPage
) -> None:
    comparison = compared(project, runs=2, metrics=2)
    page = opened(open_page, live_server, comparison)
    rows, cards = page.locator("#comparison-rows"), page.locator(".cards-strip .metric-card")
    rows.get_by_role("link", name="Worse").click()
    page.wait_for_url(lambda url: "show=worse" in url)
    cards.nth(1).get_by_role("link").click()
    expect(cards.nth(1).get_by_role("link")).to_have_attribute("aria-current", "true")
    page.wait_for_url(lambda url: "show=worse" in url and "metric=match-2-1" in url)
    expect(rows.get_by_role("link", name="Worse")).to_have_attribute("aria-current", "true")
    page.get_by_role("navigation", name="Panels").get_by_role("link", name="Slices").click()
    panel = page.get_by_role("region", name="Slices", exact=True)
    expect(panel.get_by_text("clearly worse").first).to_be_visible()
    page.wait_for_url(lambda url: "show=worse" in url and "panel=slices" in url)
    rows.get_by_role("link", name="All").click()
    page.wait_for_url(lambda url: "show=" not in url and "panel=slices" in url)
    panel.get_by_role("link", name="2", exact=True).click()
    page.wait_for_url(lambda url: "value=2" in url and "show=worse" not in url)
    expect(rows.get_by_role("link", name="All")).to_contain_text("30")
    link = page.get_by_text("Copy a link for members")
    link.evaluate("button => button.click()")
    assert link.get_attribute("data-clipboard-text-value") == page.url
    page.reload()
    expect(panel.get_by_role("link", name="2", exact=True)).to_have_attribute("aria-current", "true")
    expect(cards.nth(1).get_by_role("link")).to_have_attribute("aria-current", "true")


def test_a_click_on_a_bar_or_a_point_shows_its_examples(
    live_server: Any, project: Project, open_page: OpenPage
) -> None:
    page = opened(open_page, live_server, compared(project, runs=2, metrics=1), "?panel=distributions")
    bar = page.locator(".plot-stage .bars .point path").last
    bar.wait_for()
    box = bar.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(lambda url: "on=change" in url and "panel=distributions" in url)
    expect(page.locator("#comparison-rows .narrowing")).to_contain_text("change")
    expect(page.locator(".plot-stage .bars .point path").last).to_be_visible()  # the figures stay
    page.get_by_text("As a table, with links to the examples").first.click()
    links = page.locator(".panel-bins a")
    links.first.press("Enter")
    page.wait_for_url(lambda url: "on=baseline" in url)


def test_another_candidate_and_another_baseline_by_keyboard(
    live_server: Any, project: Project, open_page: OpenPage
) -> None:
    comparison = compared(project, runs=4, metrics=1)
    page = opened(open_page, live_server, comparison)
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("Few-shot")
    expect(page.locator(".plot-stage .scatterlayer .point")).to_have_count(4)
    page.locator("select[name=candidate]").select_option(label="#4 Fine-tuned")
    expect(verdict).to_contain_text("Fine-tuned")
    page.get_by_role("region", name="Candidates").get_by_role("link", name="Chain of thought").press("Enter")
    expect(verdict).to_contain_text("Chain of thought")
    last = comparison.candidates.get(name="Fine-tuned")
    page.locator("select[name=baseline]").select_option(label="#4 Fine-tuned")
    expect(verdict).to_contain_text("Chain of thought against Fine-tuned: the figures are being computed")
    figures_make(comparison.pk, last.pk, "metrics", "")
    expect(verdict).to_contain_text("on match-4-0")
    page.wait_for_url(lambda url: f"baseline={last.number}" in url)


def test_each_panel_is_accessible_in_light_and_dark(
    live_server: Any, project: Project, open_page: OpenPage, watch: Watch
) -> None:
    two, four = compared(project, runs=2, metrics=2), compared(project, runs=4, metrics=1)
    wrong: list[str] = []
    panels = ("slices", "distributions", "preferences", "missing", "power&size=x", "method")
    for comparison, query in (*((two, f"?panel={panel}") for panel in panels), (four, "")):
        page = opened(open_page, live_server, comparison, query)
        page.wait_for_load_state("networkidle")
        whole = query in ("", "?panel=slices")
        wrong += problems(page, query, "html" if whole else "#comparison-panels")
        page.close()
    assert not wrong, "\n".join(sorted(set(wrong)))
