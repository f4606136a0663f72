"""The report of a comparison: one file, whole, escaped, that asks no network for anything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import sync_playwright
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.blind.votes import pair_vote_cast
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.figures import SPLIT, columns_of
from apps.evaluations.comparisons.report_parts import report_columns, report_parts
from apps.evaluations.comparisons.report_rows import MOST_ROWS
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison, RowComment
from tests.browser import browser_on_path
from tests.factories.core import actor_for, make_member
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}
EVIL = '<script>document.title = "run"</script><img src="https://example.com/x.png" onerror="alert(1)">'


def make_reported(project: Project, size: int = 12, *, compute: bool = True, evil: str = "") -> Comparison:
    """The second run is right where the first is wrong, but for the last example, where it is worse."""
    version = make_dataset_version(project, size)
    evaluator = make_evaluator_version(project, "exact_match", f"exact-{size}")
    first = [0.0] * (size - 1) + [1.0]
    second = [1.0] * (size - 1) + [0.0]
    runs = [
        make_run(
            project,
            version,
            evaluators=[evaluator],
            scores={evaluator.evaluator.slug: scores},
            outputs=[f"{name} says {place} {evil}" for place in range(size)],
            name=f"{name} run {evil}",
        )
        for name, scores in (("Zero-shot", first), ("Few-shot", second))
    ]
    comparison = make_comparison(project, *runs, primary=evaluator.evaluator.slug, compute=compute)
    return parts_made(comparison) if compute else comparison


def parts_made(comparison: Comparison, *columns: str) -> Comparison:
    """As workers leave it that were asked for the report's parts besides the metrics."""
    figures_make(comparison.pk, comparison.baseline_id, "preferences", "")
    for column in columns or ("level",):
        figures_make(comparison.pk, comparison.baseline_id, "slices", column)
    return comparison


def address(comparison: Comparison) -> str:
    return reverse("evaluations:comparison-report", args=[comparison.project.slug, comparison.number])


def report_of(client: Client, comparison: Comparison, **query: str) -> str:
    answer = client.get(address(comparison), query)
    assert answer["Content-Disposition"].startswith("attachment")
    return answer.content.decode()


def test_the_report_tells_all_that_was_found(project: Project, client_as: ClientAs) -> None:
    comparison = make_reported(project)
    example = comparison.baseline.items.earliest("position").example
    RowComment.objects.create(
        comparison=comparison, example=example, text="Look at this one", author_label="ada@example.com"
    )
    page = report_of(client_as(Role.VIEWER), comparison)
    for words in (
        "Few-shot run",
        "is better than Zero-shot run",
        "McNemar",
        "fake/tiny",
        "version 1",
        "Temperature: 0.2",
        "<svg",
        "Latency of a call",
        "All 12 rows",
        "Look at this one",
        "ada@example.com",
        "Nothing is missing",
        "<del>Zero",
        "<ins>Few",
    ):
        assert words in page, words
    assert page.index(">worse<") < page.index("<article>", page.index("<article>") + 1)


def test_model_output_is_text_and_never_markup(project: Project, client_as: ClientAs) -> None:
    page = report_of(client_as(Role.VIEWER), make_reported(project, evil=EVIL))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_the_report_opens_without_a_network(
    project: Project, client_as: ClientAs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    file = tmp_path / "report.html"
    file.write_text(report_of(client_as(Role.VIEWER), make_reported(project, evil=EVIL)))
    asked: list[str] = []
    problems: list[str] = []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=browser_on_path(), args=arguments)
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: problems.append(said.text))
        page.goto(file.as_uri())
        assert page.title().endswith("report")
        colour = page.locator("ins").first.evaluate("node => getComputedStyle(node).borderBottomStyle")
        browser.close()
    assert asked == [file.as_uri()]
    assert problems == []
    assert colour == "solid"  # the style sheet holds under the file's own policy


def test_a_long_report_says_what_it_leaves_out(project: Project, client_as: ClientAs) -> None:
    page = report_of(client_as(Role.VIEWER), make_reported(project, size=MOST_ROWS + 30))
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 30} rows; 30 are left out" in page
    assert page.count("<article>") == MOST_ROWS


def test_the_slice_of_the_address_narrows_the_examples(project: Project, client_as: ClientAs) -> None:
    page = report_of(client_as(Role.VIEWER), make_reported(project), slice="level", value="1")
    assert "All 4 rows" in page
    assert "Only where level is 1" in page


def test_before_the_figures_are_made_the_page_waits(project: Project, client_as: ClientAs) -> None:
    comparison = make_reported(project, compute=False)
    client = client_as(Role.VIEWER)
    page = client.get(address(comparison))
    assert "Content-Disposition" not in page
    assert b"being computed" in page.content
    assert b"every 1s" in page.content
    assert "not computed when this report was made" in report_of(client, comparison, now="1")
    running = make_run(project, comparison.baseline.dataset_version, status="running", name="Slow one")
    unfinished = make_comparison(project, comparison.baseline, running, compute=False)
    assert b"Slow one" in client.get(address(unfinished)).content
    assert "Left out of this report: preferences (not made yet); slices by level" in report_of(
        client, comparison, now="1"
    )
    made = make_reported(project, size=5)
    fragment = client.get(address(made), **HTMX).content.decode()
    assert "Download the report" in fragment
    assert "every 1s" not in fragment


def test_the_report_holds_slices_and_preferences_though_nobody_opened_their_panels(
    project: Project, client_as: ClientAs
) -> None:
    comparison = make_reported(project, compute=False)
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    client = client_as(Role.VIEWER)
    waiting = client.get(address(comparison))
    assert "Content-Disposition" not in waiting
    assert b"still to come: preferences, slices by level" in waiting.content
    asked = comparison.figures.filter(asked_at__isnull=False).values_list("part", "column")
    assert set(asked) == {("preferences", ""), ("slices", "level")}
    one, other = (run.items.earliest("position") for run in runs_of(comparison))
    pair_vote_cast(
        comparison=comparison,
        by=actor_for(make_member(project, Role.ANNOTATOR), project),
        one=one,
        other=other,
        winner=other,
    )
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    page = report_of(client, parts_made(comparison))
    assert " by level</h2>" in page
    assert "Preferences of people" in page
    assert "Left out of this report" not in page


def test_the_report_says_which_columns_it_was_not_sliced_by(project: Project, client_as: ClientAs) -> None:
    comparison = make_reported(project)
    version = comparison.baseline.dataset_version
    columns = {**version.columns, "metadata": ["level", "b", "c", "d", "e", "f", "g"], "splits": ["dev"]}
    state = comparison_state(comparison, {})
    comparison.baseline.dataset_version.columns = columns
    known = columns_of(comparison)
    assert report_columns(state, known) == ["level", "b", "c", "d", "e", SPLIT]
    assert report_columns(comparison_state(comparison, {"slice": "g"}), known) == ["g"]
    assert report_parts(state).not_sliced == ["f", "g"]


def test_the_policy_of_the_file_lets_nothing_in(project: Project, client_as: ClientAs) -> None:
    page = report_of(client_as(Role.VIEWER), make_reported(project))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "unsafe" not in policy[1]
    assert "style=" not in page
    assert "http://" not in page.replace("http://testserver/", "").replace("http://www.w3.org", "")


def test_a_report_takes_as_many_queries_for_many_rows_as_for_few(
    project: Project, client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_as(Role.VIEWER)
    few, many = make_reported(project, size=4), make_reported(project, size=60)
    for comparison in (few, many):
        client.get(address(comparison))  # asks for the preferences once
    with django_assert_num_queries(22, exact=False) as taken:
        client.get(address(few))
    with django_assert_num_queries(len(taken.captured_queries)):
        client.get(address(many))
