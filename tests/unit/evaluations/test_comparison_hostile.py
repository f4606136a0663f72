"""Comparisons under hostile values and at bad moments: no answer is a defect of ours, nothing is stuck."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.core.errors import NotFound
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.datasets.models import Example
from apps.datasets.services.adding import ORIGIN, NewExample, examples_add
from apps.evaluations.comparing import making
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.charts import Bar, Spot, bars_figure, slices_figure, tradeoff_figure
from apps.evaluations.comparisons.figures import MOST_WAITING, TRY_AGAIN, figures_again, figures_state
from apps.evaluations.comparisons.row_comments import comment_add, comment_delete, comment_edit
from apps.evaluations.comparisons.row_pages import chosen_metric, row_query, settled_state, shared_metrics
from apps.evaluations.comparisons.rows import every_row, first_rows
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.engine.sweeping import sweep_runs
from apps.evaluations.models import Comparison, ComparisonFigures
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_comparison, make_dataset_version, make_run
from tests.unit.evaluations.test_comparison_row_pages import HTMX, METRIC, address, make_one

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ComparisonFigures]:
    """What workers were asked for; none comes."""
    found: list[ComparisonFigures] = []
    monkeypatch.setattr("apps.evaluations.comparisons.figures.enqueue_figures", found.append)
    return found


def broken(monkeypatch: pytest.MonkeyPatch, answer: Any = None) -> None:
    def maker(*given: object) -> Any:
        if answer is None:
            raise RuntimeError("no memory\x00")
        return answer

    monkeypatch.setitem(making.MAKERS, "metrics", maker)


def metrics(comparison: Comparison) -> Any:
    return figures_state(comparison, comparison.baseline, "metrics")


def failed(project: Project, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    comparison = make_one(project)
    comparison.figures.all().delete()
    with monkeypatch.context() as patch:
        broken(patch)
        figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    return comparison


def test_figures_that_failed_are_tried_again_when_somebody_asks(
    project: Project, client_as: ClientAs, monkeypatch: pytest.MonkeyPatch, asked: list[ComparisonFigures]
) -> None:
    comparison = failed(project, monkeypatch)
    assert metrics(comparison).failed
    assert not asked
    viewer, page = client_as(Role.VIEWER), address("comparison-detail", comparison)
    assert "Try again" in viewer.get(page).content.decode()
    answer = viewer.post(address("comparison-again", comparison) + "?panel=method")
    assert (answer.status_code, answer["Location"]) == (302, f"{page}?panel=method")
    viewer.post(address("comparison-again", comparison))
    assert len(asked) == 1, "a second press asks nobody"
    assert metrics(comparison).waiting
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    assert metrics(comparison).figures
    assert not metrics(comparison).error


def test_figures_that_failed_are_tried_again_after_a_while_and_not_before(
    project: Project, monkeypatch: pytest.MonkeyPatch, asked: list[ComparisonFigures]
) -> None:
    comparison = failed(project, monkeypatch)
    assert not metrics(comparison).waiting
    comparison.figures.update(made_at=timezone.now() - TRY_AGAIN - timedelta(seconds=1))
    assert metrics(comparison).waiting
    assert len(asked) == 1


def test_figures_that_the_database_cannot_keep_are_an_error_and_not_a_wait(
    project: Project, monkeypatch: pytest.MonkeyPatch, asked: list[ComparisonFigures]
) -> None:
    comparison = make_one(project)
    comparison.figures.all().delete()
    broken(monkeypatch, {"candidates": [], "runs": [float("inf")]})
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    assert metrics(comparison).failed
    figures_again(comparison)
    assert len(asked) == 1


def test_asking_for_column_after_column_does_not_fill_the_queue(
    project: Project, client_as: ClientAs, monkeypatch: pytest.MonkeyPatch, asked: list[ComparisonFigures]
) -> None:
    comparison = make_one(project)
    names = [f"column {number}" for number in range(MOST_WAITING * 2)]
    for module in ("figures", "breakdowns"):
        monkeypatch.setattr(f"apps.evaluations.comparisons.{module}.columns_of", lambda of: names)
    viewer = client_as(Role.VIEWER)
    for name in names:
        assert viewer.get(address("comparison-panel", comparison), {"panel": "slices", "slice": name}, **HTMX)
    assert len(asked) == MOST_WAITING
    comparison.figures.filter(column=names[0]).update(asked_at=None)
    viewer.get(address("comparison-panel", comparison), {"panel": "slices", "slice": names[-1]}, **HTMX)
    assert asked[-1].column == names[-1], "there is room again"


def test_parts_that_wait_are_asked_for_again_however_many_they_are(
    project: Project, asked: list[ComparisonFigures]
) -> None:
    comparison = make_one(project)
    late = timezone.now() - timedelta(minutes=5)
    for number in range(MOST_WAITING + 3):
        ComparisonFigures.objects.create(
            comparison=comparison,
            baseline=comparison.baseline,
            part="slices",
            column=f"column {number}",
            asked_at=late,
        )
    sweep_runs()
    assert len(asked) == MOST_WAITING + 3


def test_a_comment_that_was_deleted_meanwhile_is_gone_and_told_once(project: Project) -> None:
    comparison = make_one(project)
    example = comparison.baseline.items.earliest("position").example_id
    comment = comment_add(comparison=comparison, by=SYSTEM, example_id=example, text="First")
    stale = type(comment).objects.get(pk=comment.pk)
    comment_delete(comparison=comparison, by=SYSTEM, comment=comment)
    with pytest.raises(NotFound):
        comment_edit(comparison=comparison, by=SYSTEM, comment=stale, text="Second")
    with pytest.raises(NotFound):
        comment_delete(comparison=comparison, by=SYSTEM, comment=stale)
    assert AuditEvent.objects.filter(action="row_comment.delete").count() == 1


def test_the_log_of_a_changed_comment_has_what_was_there(project: Project) -> None:
    comparison = make_one(project)
    example = comparison.baseline.items.earliest("position").example_id
    comment = comment_add(comparison=comparison, by=SYSTEM, example_id=example, text="First")
    stale = type(comment).objects.get(pk=comment.pk)
    comment_edit(comparison=comparison, by=SYSTEM, comment=comment, text="Second")
    comment_edit(comparison=comparison, by=SYSTEM, comment=stale, text="Third")
    logged = AuditEvent.objects.filter(action="row_comment.update").order_by("id")
    assert [event.before["text"] for event in logged] == ["First", "Second"]


def test_a_decision_form_with_deep_json_is_no_defect(project: Project, client_as: ClientAs) -> None:
    comparison = make_one(project)
    form = {
        "run": str(comparison.baseline.number),
        "label": "production",
        "reason": "so",
        "seen": "[" * 200_000,
    }
    answer = client_as(Role.EDITOR).post(address("comparison-decide", comparison), form)
    assert answer.status_code < 500


def test_half_a_character_in_a_request_is_answered(
    project: Project, api_client: Callable[[Role], APIClient]
) -> None:
    comparison = make_one(project)
    body = json.dumps({"example": "q0", "winner": "\ud800"})
    url = f"/api/v1/comparisons/{comparison.pk}/votes/"
    answer = api_client(Role.ANNOTATOR).post(url, body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "given",
    [
        {"scores": {"quality": 1e308}},
        {"scores": {"quality": "nan"}},
        {"scores": {"\ud800": 1.0}},
        {"latency_ms": "nan"},
        {"latency_ms": "inf"},
        {"latency_ms": 1e300},
    ],
)
def test_recorded_numbers_that_nothing_can_be_computed_of_are_refused(
    project: Project, api_client: Callable[[Role], APIClient], given: dict[str, Any]
) -> None:
    client = api_client(Role.EDITOR)
    version = make_dataset_version(project, 2)
    plan = {"name": "Elsewhere", "dataset": version.dataset.slug, "recorded": True}
    run = client.post("/api/v1/eval-runs/", plan, format="json").json()["id"]
    body = json.dumps([{"key": f"q{place}", "output": "x", **given} for place in range(2)])
    answer = client.post(f"/api/v1/eval-runs/{run}/results/", body, content_type="application/json")
    assert answer.status_code == 400, answer.content


def test_names_in_figures_are_text_and_no_markup() -> None:
    evil = "<a href='https://example.com'>&amp;</a>"
    metric = {"name": "quality", "title": evil, "scale": "continuous", "direction": "higher", "unit": ""}
    group = {"label": evil, "n": 3, "worse": False, "query": f"value={evil}", "difference": 0.1}
    ends = {"ci_low": 0.0, "ci_high": 0.2}
    spot = Spot(1, evil, 0.1, 0.5, 0.4, 0.6, evil)
    figures = [
        slices_figure([group | ends], metric),
        tradeoff_figure([spot, spot], metric, {"unit": "usd", "title": "Cost"}),
        bars_figure([(evil, [Bar(evil, 2, evil)])], evil),
    ]
    for figure in figures:
        followed = [point.pop() for trace in figure["data"] for point in trace["customdata"]]
        assert all(evil in query for query in followed), "addresses stay what they are"
        assert "<a" not in json.dumps(figure)
        assert "&amp;amp;" in json.dumps(figure)


def test_what_people_type_is_not_kept_in_the_cache(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.evaluations.comparisons.row_pages.COUNTED_AT_ONCE", 2)
    comparison = make_one(project)

    def kept(**texts: str) -> str:
        state = comparison_state(comparison, texts)
        return settled_state(state, row_query(state, chosen_metric(state, shared_metrics(state))))

    assert kept()
    assert kept(show="worse")
    assert not kept(q="anything")
    assert not kept(slice="level", value="anything")
    assert not kept(on="change", low="0.123")


def test_rows_that_are_added_to_a_dataset_do_not_hold_their_outputs(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    comparison = make_one(project)
    state = comparison_state(comparison, {})
    query = row_query(state, chosen_metric(state, shared_metrics(state)))
    with django_assert_num_queries(2):  # the rows; their items with examples
        rows = first_rows(query, 4)
        keys = [row.item.example.key for row in rows]
    assert keys == [row.item.example.key for row in every_row(query)][:4]
    assert all("output" in row.item.get_deferred_fields() for row in rows)


def test_columns_and_values_with_odd_names_have_slices_or_are_left_out(
    project: Project, client_as: ClientAs, api_client: Callable[[Role], APIClient]
) -> None:
    odd = {"c" * 300: "x", ' 100% "it\'s" ': " a value ", "long": "v" * 300}
    new = [NewExample(f"k{place}", {"question": f"{place}?"}, metadata=odd) for place in range(4)]
    dataset = make_dataset_version(project, 0).dataset
    version = examples_add(dataset=dataset, by=SYSTEM, examples=new, note="Added").version
    runs = [make_run(project, version, scores={METRIC: [0.5, 1.0] * 2}) for _ in range(2)]
    comparison, name = make_comparison(project, *runs, primary=METRIC), list(odd)[1]
    viewer, panel = client_as(Role.VIEWER), address("comparison-panel", comparison)
    assert viewer.get(panel, {"panel": "slices", "slice": name}, **HTMX).context["column"] == name
    figures_make(comparison.pk, comparison.baseline_id, "slices", name)
    (line,) = viewer.get(panel, {"panel": "slices", "slice": name}, **HTMX).context["lines"]
    rows = viewer.get(f"{address('comparison-rows', comparison)}?{line.query}", **HTMX).context["compared"]
    assert len(rows.rows) == 4
    figures_make(comparison.pk, comparison.baseline_id, "slices", "long")
    (line,) = viewer.get(panel, {"panel": "slices", "slice": "long"}, **HTMX).context["lines"]
    assert not line.query, "a value too long for an address leads nowhere"
    too_long = {"column": "c" * 300}
    answer = api_client(Role.VIEWER).get(f"/api/v1/comparisons/{comparison.pk}/slices/", too_long)
    assert answer.status_code == 400


def test_long_keys_of_several_origins_stay_apart(project: Project) -> None:
    dataset = make_dataset_version(project, 1).dataset
    for ending in ("x", "y"):
        for origin in ("one", "two", "three"):
            new = NewExample(
                "k" * 199 + ending, {"question": f"{origin} {ending}"}, metadata={ORIGIN: origin}
            )
            examples_add(dataset=dataset, by=SYSTEM, examples=[new], note="Added")
    kept = Example.objects.filter(dataset=dataset, valid_to=None, key__startswith="kkk")
    assert kept.count() == 6
    assert all(len(key) <= 200 for key in kept.values_list("key", flat=True))
