"""The cards and panels of a comparison's page, and that the address says all of its state."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.models import Comparison, EvalRun
from tests.factories.core import SYSTEM
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.unit.evaluations.test_comparison_pages import HTMX, ClientAs, address, make_pair

pytestmark = pytest.mark.django_db
SIZE = 60


def several_runs(project: Project, amount: int, *, planned: bool = False) -> list[EvalRun]:
    """Runs over one dataset, each right on six examples more than the one before it."""
    version, evaluator = make_dataset_version(project, SIZE), make_evaluator_version(project)
    metric = evaluator.evaluator.slug
    return [
        make_run(
            project,
            version,
            evaluators=[evaluator],
            scores={metric: [float(place < 12 + 6 * number) for place in range(SIZE)]},
            name=f"System {number}",
            primary_metric=metric if planned else "",
        )
        for number in range(amount)
    ]


def compared(project: Project, amount: int = 4, *, planned: bool = False) -> Comparison:
    runs = several_runs(project, amount, planned=planned)
    return make_comparison(project, *runs, primary=runs[0].plan["metrics"][0]["name"])


def page_of(client: Client, comparison: Comparison, **query: object) -> str:
    return client.get(
        address("comparison-detail", comparison.project, comparison.number), query
    ).content.decode()


def test_a_share_reads_in_points_and_percent(project: Project, client_as: ClientAs) -> None:
    baseline, candidate = make_pair(project)
    comparison = make_comparison(project, baseline, candidate, primary=baseline.plan["metrics"][0]["name"])
    page = page_of(client_as(Role.VIEWER), comparison)
    assert "+74.4 points" in page
    assert "23.1% " in page
    assert "97.4%" in page
    assert "1 missing" in page


def test_every_candidate_has_a_line_and_one_is_shown_below(project: Project, client_as: ClientAs) -> None:
    comparison, client = compared(project), client_as(Role.VIEWER)
    response = client.get(address("comparison-detail", project, comparison.number))
    assert [line.run.name for line in response.context["lines"]] == ["System 1", "System 2", "System 3"]
    assert response.context["panel"] == "candidates"
    assert "System 1 is better than System 0" in response.context["verdict"].headline
    third = comparison.candidates.get(name="System 3")
    shown = client.get(
        address("comparison-detail", project, comparison.number), {"candidate": third.number}
    ).context
    assert "System 3 is better" in shown["verdict"].headline
    assert shown["lines"][2].chosen
    closed = client.get(address("comparison-detail", project, comparison.number), {"panel": "none"})
    assert closed.context["panel"] == ""


def test_quality_is_drawn_against_cost_with_a_point_for_each_run(
    project: Project, client_as: ClientAs
) -> None:
    comparison = compared(project)
    response = client_as(Role.VIEWER).get(address("comparison-detail", project, comparison.number))
    trace = response.context["tradeoff"].figure["data"][0]
    assert len(trace["x"]) == len(trace["y"]) == 4
    assert trace["y"] == pytest.approx([20.0, 30.0, 40.0, 50.0])
    assert [point[-1] for point in trace["customdata"]][2:] == [
        f"candidate={run.number}" for run in comparison.candidates.order_by("number")[1:]
    ]
    assert "System 0: 20.0%, $0.0001" in response.context["tradeoff"].label


def test_another_baseline_is_measured_by_a_worker_when_it_is_asked_for(
    project: Project, client_as: ClientAs
) -> None:
    comparison, client = compared(project, 3), client_as(Role.VIEWER)
    last = comparison.candidates.get(name="System 2")
    waiting = page_of(client, comparison, baseline=last.number)
    assert "System 0 against System 2: the figures are being computed" in waiting
    assert "every 1s" in waiting
    figures_make(comparison.pk, last.pk, "metrics", "")
    page = page_of(client, comparison, baseline=last.number)
    assert "System 0 is worse than System 2" in page
    assert "every 1s" not in page
    assert f"baseline={last.number}&amp;candidate=" in page  # links keep it


def test_a_card_sorts_the_rows_by_its_metric_and_drops_the_range_of_another(
    project: Project, client_as: ClientAs
) -> None:
    baseline, candidate = make_pair(project)
    comparison = make_comparison(project, baseline, candidate)
    url = address("comparison-detail", project, comparison.number)
    response = client_as(Role.VIEWER).get(url, {"show": "worse", "on": "change", "low": "-1", "high": "0"})
    (card,) = response.context["cards"]
    assert card.chosen
    assert "low=" not in card.query
    assert "show=worse" in card.query


@pytest.mark.parametrize("panel", ["slices", "distributions", "preferences", "missing", "power", "method"])
def test_each_panel_opens_from_the_address_and_as_a_fragment(
    panel: str, project: Project, client_as: ClientAs
) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    page = page_of(client, comparison, panel=panel)
    assert re.search(r'class="tab active"[^>]*aria-current="true"', page)
    assert "style=" not in page
    fragment = client.get(
        address("comparison-panel", project, comparison.number), {"panel": panel}, **HTMX
    ).content.decode()
    assert "<html" not in fragment
    plain = client.get(address("comparison-panel", project, comparison.number), {"panel": panel})
    assert plain.headers["Location"].endswith(f"/comparisons/{comparison.number}/?panel={panel}")
    assert f'aria-label="{panel.capitalize()}"' in fragment


def test_closed_panels_are_closed_and_nonsense_is_left_out(project: Project, client_as: ClientAs) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    for panel in ("", "candidates", "made up"):
        assert (
            client.get(
                address("comparison-detail", project, comparison.number),
                {
                    "panel": panel,
                    "baseline": "x",
                    "candidate": "-1",
                    "metric": "?",
                    "slice": "%",
                    "size": "🤷",
                },
            ).context["panel"]
            == ""
        )


def test_slices_wait_for_a_worker_and_then_lead_to_their_examples(
    project: Project, client_as: ClientAs
) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    waiting = page_of(client, comparison, panel="slices")
    assert "These figures are being computed" in waiting
    assert "comparison-panel" in waiting
    figures_make(comparison.pk, comparison.baseline_id, "slices", "level")
    response = client.get(address("comparison-detail", project, comparison.number), {"panel": "slices"})
    lines = response.context["lines"]
    assert {line.label for line in lines} == {"0", "1", "2"}
    assert all(f"slice=level&value={line.label}" in line.query for line in lines)
    figure = response.context["figure"]
    assert sorted(figure["data"][0]["y"]) == ["0", "1", "2"]
    assert all(point[-1] for point in figure["data"][0]["customdata"])


def test_a_slice_that_is_clearly_worse_stands_out_on_top(project: Project, client_as: ClientAs) -> None:
    """Worse on every example of level 2, better on the others."""
    version, evaluator = make_dataset_version(project, 90), make_evaluator_version(project)
    metric = evaluator.evaluator.slug
    runs = [
        make_run(project, version, evaluators=[evaluator], scores={metric: scores})
        for scores in (
            [float(place % 3 == 2) for place in range(90)],
            [float(place % 3 != 2) for place in range(90)],
        )
    ]
    comparison = make_comparison(project, *runs, primary=metric)
    figures_make(comparison.pk, runs[0].pk, "slices", "level")
    url = address("comparison-detail", project, comparison.number)
    response = client_as(Role.VIEWER).get(url, {"panel": "slices"})
    assert next((line.label, line.worse) for line in response.context["lines"]) == ("2", True)
    assert [line.label for line in response.context["worse"]] == ["2"]
    assert "Clearly worse in 1 of 3" in response.content.decode()


def test_bars_of_a_distribution_lead_to_their_examples(project: Project, client_as: ClientAs) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    figures_make(comparison.pk, comparison.baseline_id, "distributions", "")
    response = client.get(
        address("comparison-detail", project, comparison.number), {"panel": "distributions"}
    )
    (_, baseline), (_, candidate) = response.context["spread"]
    assert [bar.count for bar in baseline] == [48, 12]
    assert [bar.count for bar in candidate] == [42, 18]
    assert "on=candidate&low=1" in candidate[1].query
    rows = client.get(
        address("comparison-rows", project, comparison.number) + f"?{candidate[1].query}", **HTMX
    )
    assert rows.context["compared"].shown == 18
    changes = [bar for bar in response.context["changes"] if bar.count]
    assert sum(bar.count for bar in changes) == SIZE
    up = client.get(address("comparison-rows", project, comparison.number) + f"?{changes[-1].query}", **HTMX)
    assert up.context["compared"].shown == changes[-1].count == 6
    mount = re.search(r'data-plot-figure-value="([^"]*)"', response.content.decode())
    assert mount
    assert json.loads(html.unescape(mount[1]))["layout"]["meta"] == {"follow": True}


def test_power_says_how_many_examples_a_size_takes(project: Project, client_as: ClientAs) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    url = address("comparison-detail", project, comparison.number)
    metric: dict[str, Any] = client.get(url, {"panel": "power"}).context["metric"]
    few, many = (client.get(url, {"panel": "power", "size": size}).context["needed"] for size in ("20", "2"))
    assert many == pytest.approx(100 * few, rel=0.1)
    at_detectable = client.get(url, {"panel": "power", "size": f"{100 * metric['detectable']}"})
    assert at_detectable.context["needed"] == pytest.approx(SIZE, abs=2)
    for large in ("101", "150"):
        response = client.get(url, {"panel": "power", "size": large})
        assert response.context["needed"] is None
        assert "is more than the scale of" in response.content.decode()
        assert "type up to 100.0 points" in response.content.decode()
    for wrong in ("zero", "0", "-0", "-5", "nan", "1e400"):
        assert "is no size above zero" in client.get(url, {"panel": "power", "size": wrong}).content.decode()
    assert "takes <strong>" in client.get(url, {"panel": "power", "size": "2,5"}).content.decode()


def test_the_page_says_when_the_primary_metric_was_chosen(project: Project, client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    assert "chosen after the runs" in page_of(client, compared(project, 2))
    assert "chosen before the runs" in page_of(client, compared(project, 2, planned=True))


def test_a_comparison_starts_from_the_metric_that_was_planned(project: Project) -> None:
    version = make_dataset_version(project, 4)
    evaluators = [make_evaluator_version(project) for _ in range(2)]
    names = [each.evaluator.slug for each in evaluators]
    runs = [
        make_run(
            project,
            version,
            evaluators=evaluators,
            scores={name: [1.0, 0.0, 1.0, 0.0] for name in names},
            primary_metric=names[1],
        )
        for _ in range(2)
    ]
    made = comparison_create(project=project, by=SYSTEM, baseline=runs[0], candidates=runs[1:])
    assert made.primary_metric == names[1]


def test_ten_runs_take_as_many_queries_as_two(
    project: Project, client_as: ClientAs, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client, two, ten = client_as(Role.VIEWER), compared(project, 2), compared(project, 10)
    for panel in ("method", "slices", "missing"):
        for comparison in (two, ten):
            figures_make(comparison.pk, comparison.baseline_id, "slices", "level")
        few_url, many_url = (address("comparison-detail", project, each.number) for each in (two, ten))
        with django_assert_num_queries(22, exact=False) as few:
            client.get(few_url, {"panel": panel})
        with django_assert_num_queries(len(few.captured_queries)):
            client.get(many_url, {"panel": panel})


def test_the_list_has_a_short_line_for_up_to_three_candidates(project: Project, client_as: ClientAs) -> None:
    compared(project, 6)
    page = client_as(Role.VIEWER).get(address("comparison-list", project)).content.decode()
    assert "System 3" in page
    assert "System 4" not in page
    assert "and 2 more" in page
    assert "+10.0 points" in page


def test_examples_can_be_grouped_by_a_column(project: Project, client_as: ClientAs) -> None:
    comparison, client = compared(project, 2), client_as(Role.VIEWER)
    assert "the examples grouped by level" in page_of(client, comparison, cluster="level")
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "level")
    page = page_of(client, comparison, cluster="level", panel="method")
    assert "The 3 groups of examples changed by the same amount" in page
    assert "no metadata column" in page_of(client, comparison, cluster="made up")


def test_a_running_candidate_is_named_beside_the_figures_of_the_others(
    project: Project, client_as: ClientAs
) -> None:
    runs = several_runs(project, 2)
    running = make_run(project, runs[0].dataset_version, status="running", finalize=False, name="Slow")
    metric = runs[0].plan["metrics"][0]["name"]
    comparison = make_comparison(project, *runs, running, primary=metric, compute=False)
    figures_make(comparison.pk, runs[0].pk, "metrics", "")
    page = page_of(client_as(Role.VIEWER), comparison)
    assert "System 1 is better than System 0" in page
    assert "Still running, and not in these figures" in page
    assert "still running</span>" in page
    assert "every 1s" not in page
    chosen = page_of(client_as(Role.VIEWER), comparison, candidate=running.number)
    assert "the candidate is still running" in chosen
    turned = page_of(client_as(Role.VIEWER), comparison, baseline=running.number)
    assert "the baseline is still running" in turned


def test_what_could_have_been_seen_is_never_beyond_the_scale(project: Project, client_as: ClientAs) -> None:
    version, evaluator = make_dataset_version(project, 3), make_evaluator_version(project)
    slug = evaluator.evaluator.slug
    columns = ([1.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    runs = [make_run(project, version, evaluators=[evaluator], scores={slug: one}) for one in columns]
    page = page_of(client_as(Role.VIEWER), make_comparison(project, *runs, primary=slug), panel="power")
    assert "more than the scale has, 100.0 points" in page


def test_examples_of_one_run_alone_are_unpaired_and_missing_in_no_metric(
    project: Project, client_as: ClientAs
) -> None:
    baseline, candidate = several_runs(project, 2)
    candidate.items.filter(position__gt=40).delete()
    candidate.items.filter(position=1).update(status="failed", error_kind="timeout")
    comparison = make_comparison(project, baseline, candidate, primary=baseline.plan["metrics"][0]["name"])
    client = client_as(Role.VIEWER)
    response = client.get(address("comparison-detail", project, comparison.number), {"panel": "missing"})
    (one,) = response.context["lacking"]
    assert (one.metric["n"], one.metric["missing"], response.context["unpaired_count"]) == (39, 1, 20)
    assert "20 examples are not the same in both runs" in response.context["verdict"].detail
    assert "change the picture" not in response.content.decode()
    rows = address("comparison-rows", project, comparison.number)
    for query, count in ((one.query, 1), (response.context["unpaired_query"], 20)):
        assert client.get(f"{rows}?{query}", **HTMX).context["compared"].shown == count


def test_where_nothing_costs_anything_quality_is_drawn_against_latency(
    project: Project, client_as: ClientAs
) -> None:
    runs = several_runs(project, 3)
    for run in runs:
        run.items.update(cost_usd=0)
    comparison = make_comparison(project, *runs, primary=runs[0].plan["metrics"][0]["name"])
    page = page_of(client_as(Role.VIEWER), comparison)
    assert "No call of these runs cost anything, so latency stands in its place." in page
    assert "against mean latency of a call" in page


def test_the_correction_says_over_how_many_tests_it_goes(project: Project, client_as: ClientAs) -> None:
    comparison = compared(project, 3)
    page = page_of(client_as(Role.VIEWER), comparison, panel="method")
    assert page.count("over 2 tests (1 metric × 2 candidates)") == 2
