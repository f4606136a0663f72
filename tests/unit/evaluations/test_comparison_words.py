"""What a comparison calls its metrics and itself, and how its figures read."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import Comparison
from llmops_web.demo.report import comparison_lines
from tests.factories.evaluations import make_comparison
from tests.unit.evaluations.test_comparison_pages import HTMX, ClientAs, address, make_pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def comparison(project: Project) -> Comparison:
    baseline, candidate = make_pair(project)
    return make_comparison(project, baseline, candidate, primary=baseline.plan["metrics"][0]["name"])


def test_metrics_are_called_by_their_evaluators_and_the_comparison_by_its_name(
    client_as: ClientAs, comparison: Comparison
) -> None:
    """In the figures, beside one example, and in the list that the deciding metric is chosen from."""
    name = comparison.primary_metric
    title = name.replace("_", " ")
    assert name != title
    client, project = client_as(Role.EDITOR), comparison.project
    detail = client.get(address("comparison-detail", project, comparison.number)).content.decode()
    item = comparison.baseline.items.get(example_key="q4")
    url = address("comparison-example", project, comparison.number, item.example_id)
    drawer, whole = client.get(url, **HTMX).content.decode(), client.get(url).content.decode()
    form = client.get(address("comparison-create", project), {"baseline": comparison.baseline.number})
    choices = dict(form.context["form"].fields["primary_metric"].choices)
    for page in (detail, drawer, whole):
        assert title in page
        assert f">{name}<" not in page
    assert choices[name] == title
    for page in (detail, whole):
        assert f">#{comparison.number}<" not in page
        trail = page[page.index('aria-label="Breadcrumbs"') : page.index("<main")]
        assert f"{comparison.name}</" in trail
        assert f'href="{reverse("core:project-home", args=[project.slug])}"' in trail


def test_a_terminal_shows_the_metrics_by_their_titles(comparison: Comparison) -> None:
    candidate = comparison.candidates.get()
    figures, runs = comparison.figures.get().figures, [comparison.baseline, candidate]
    text = "\n".join(comparison_lines(figures, runs))
    assert comparison.primary_metric.replace("_", " ") in text
    assert comparison.primary_metric not in text
    figures["candidates"][0]["metrics"][0] |= {"difference": -0.0001, "ci_low": -0.0002}
    assert "-0.000" not in "\n".join(comparison_lines(figures, runs))


def test_a_terminal_has_the_corrected_p_of_the_page_and_a_dash_for_what_is_not_there(
    comparison: Comparison,
) -> None:
    figures = comparison.figures.get().figures
    runs = [comparison.baseline, comparison.candidates.get()]
    of_run = dict.fromkeys(("wins", "ties", "losses"))
    figures["candidates"][0]["metrics"][0] |= {"p_value": 0.0149, "p_adjusted": 0.0298, **of_run}
    text = "\n".join(comparison_lines(figures, runs))
    assert "None" not in text
    assert "p (Holm)" in text
    assert "0.030" in text
    assert "0.0149" not in text
    line = next(line for line in text.splitlines() if "0.030" in line)
    assert line.split()[-3:] == ["-", "-", "-"]
    figures["candidates"][0]["metrics"][0]["p_adjusted"] = None
    assert "None" not in "\n".join(comparison_lines(figures, runs))


def test_a_metric_without_pairs_has_no_wins(client_as: ClientAs, comparison: Comparison) -> None:
    kept = comparison.figures.get()
    kept.figures["candidates"][0]["metrics"][0] |= {"n": 0, "wins": 0, "ties": 0, "losses": 0}
    kept.save(update_fields=["figures"])
    url = address("comparison-summary", comparison.project, comparison.number)
    page = client_as(Role.VIEWER).get(url, **HTMX).content.decode()
    assert "Nothing can be said" in page
    assert "0 won" not in page


def test_a_difference_that_rounds_to_zero_has_no_sign(client_as: ClientAs, comparison: Comparison) -> None:
    kept = comparison.figures.get()
    entry = kept.figures["candidates"][0]
    entry["latency"] |= {"difference": -0.2, "ci_low": -0.4, "ci_high": 0.3}
    entry["cost"] |= {"difference": -1e-17, "ci_low": -1e-16, "ci_high": 1e-16}
    entry["metrics"][0] |= {"difference": -1e-12, "ci_low": -0.00002, "ci_high": 0.0001}
    kept.save(update_fields=["figures"])
    url = address("comparison-summary", comparison.project, comparison.number)
    page = client_as(Role.VIEWER).get(url, **HTMX).content.decode()
    for text in (">0 ms<", "[0 ms, 0 ms]", ">$0<", "[$0, $0]", ">0.0 points<", "[−0.002, +0.01]"):
        assert text in page
    assert not re.search(r"[−+](0 ms|\$0|0\.0+)\b", page)
