"""Reading runs: counts, usage, progress and metrics."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.evaluations.comparisons.rows import RowQuery, compared_rows
from apps.evaluations.errors import ResultNotFound, RunNotFound
from apps.evaluations.models import EvalRun
from apps.evaluations.presentation import named, plan_facts, readable
from apps.evaluations.result_selectors import result_get
from apps.evaluations.run_choices import typed_filter
from apps.evaluations.selectors import (
    RunCounts,
    counts_of,
    run_get,
    run_list,
    run_metrics,
    run_progress,
    run_usage,
    usage_of,
)
from tests.factories.evaluations import make_dataset_version, make_evaluator_version, make_run

pytestmark = pytest.mark.django_db


def test_counts_of_many_runs_take_one_query(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    done = make_run(project, outputs=["a", None, "c", "d"])
    waiting = make_run(project, status="running")
    with django_assert_num_queries(1):
        counts = counts_of([done, waiting])
    assert counts[done.pk] == RunCounts(total=4, completed=3, failed=1)
    assert counts[done.pk].done == 4
    assert counts[waiting.pk] == RunCounts(total=4, pending=4)
    assert counts_of([]) == {}


def test_a_cost_that_is_unknown_is_counted_and_never_zero(project: Project) -> None:
    run = make_run(project, outputs=["a", "b", "c", None])
    assert run_usage(run).cost_usd == Decimal("0.0003")
    assert run_usage(run).cost_unknown == 0
    assert run_usage(run).latency_p50_ms == 101.0
    run.items.filter(example_key="q0").update(cost_usd=None)
    assert usage_of([run])[run.pk].cost_usd == Decimal("0.0002")
    assert usage_of([run])[run.pk].cost_unknown == 1
    run.items.update(cost_usd=None)
    assert run_usage(run).cost_usd is None


def test_rate_and_time_left_are_of_the_last_half_minute(project: Project) -> None:
    run = make_run(project, make_dataset_version(project, 90), status="running")
    some = list(run.items.order_by("position")[:30].values_list("pk", flat=True))
    run.items.filter(pk__in=some).update(status="completed", answered_at=timezone.now())
    progress = run_progress(run, counts_of([run])[run.pk])
    assert progress.done == 30
    assert progress.rate == pytest.approx(1.0)
    assert progress.seconds_left == pytest.approx(60.0)
    run.items.filter(pk__in=some).update(answered_at=timezone.now() - timedelta(minutes=2))
    stalled = run_progress(run, counts_of([run])[run.pk])
    assert stalled.rate is None
    assert stalled.seconds_left is None


def test_metrics_are_provisional_until_the_run_is_finalised(project: Project) -> None:
    evaluator = make_evaluator_version(project, "exact_match", "exact_match")
    scores = {"exact_match": [1.0, 0.0, None, 1.0]}
    running = make_run(
        project, evaluators=[evaluator], outputs=["a"] * 4, scores=scores, status="running", finalize=False
    )
    (so_far,) = run_metrics(running)
    assert (so_far.provisional, so_far.n, so_far.missing, so_far.ci_low) == (True, 3, 1, None)
    assert so_far.mean == pytest.approx(2 / 3)
    ended = make_run(project, evaluators=[evaluator], outputs=["a"] * 4, scores=scores)
    (final,) = run_metrics(ended)
    assert final.provisional is False
    assert final.title == "exact match"
    assert final.ci_low is not None
    assert final.ci_low < 2 / 3


def test_a_run_is_found_by_id_or_number_in_its_project_only(project: Project, other_project: Project) -> None:
    run = make_run(project)
    assert run_get(project=project, id=run.pk) == run_get(project=project, number=run.number) == run
    for wrong in ({"id": run.pk}, {"number": run.number}):
        with pytest.raises(RunNotFound):
            run_get(project=other_project, **wrong)
    for number in (0, -1, 2**40):
        with pytest.raises(RunNotFound):
            run_get(project=project, number=number)
    with pytest.raises(ResultNotFound):
        result_get(run, run.pk)


def test_the_list_is_filtered_by_prompt_and_dataset(project: Project) -> None:
    run, _ = make_run(project), make_run(project)
    assert run.prompt_version is not None
    assert list(run_list(project=project, prompt=run.prompt_version.prompt.slug)) == [run]
    assert list(run_list(project=project, dataset=run.dataset_version.dataset.slug)) == [run]
    assert list(run_list(project=project, q=run.dataset_version.dataset.name)) == [run]


def test_a_metadata_filter_matches_text_and_numbers(project: Project) -> None:
    version = make_dataset_version(project, 4)  # levels are kept as text
    assert typed_filter(version, "level", "1") == {"level": "1"}
    assert typed_filter(version, "level", "7") == {"level": 7}
    assert typed_filter(version, "level", "true") == {"level": True}
    assert typed_filter(version, "level", "inf") == {"level": "inf"}
    assert typed_filter(version, "", "1") == {}


def test_rows_are_paired_by_example_and_judged_by_the_direction(project: Project) -> None:
    version = make_dataset_version(project, 3)
    evaluator = make_evaluator_version(project, "exact_match", "exact_match")
    first = make_run(
        project, version, evaluators=[evaluator], outputs=["a"] * 3, scores={"exact_match": [1, 0, 1]}
    )
    second = make_run(
        project, version, evaluators=[evaluator], outputs=["b"] * 3, scores={"exact_match": [0, 1, 1]}
    )
    query = RowQuery(first.pk, second.pk, metric="exact_match", direction="higher")
    assert [row.outcome for row in compared_rows(query).rows] == ["worse", "better", "tied"]
    assert [row.change for row in compared_rows(query).rows] == [-1.0, 1.0, 0.0]
    lower = RowQuery(first.pk, second.pk, metric="exact_match", direction="lower")
    assert [row.item.example_key for row in compared_rows(lower).rows] == ["q1", "q0", "q2"]
    neither = RowQuery(first.pk, second.pk, metric="exact_match")
    assert {row.outcome for row in compared_rows(neither).rows} == {""}
    assert compared_rows(query).counts.differs == 3
    other = make_run(project, make_dataset_version(project, 2), outputs=["x", "y"])
    apart = compared_rows(RowQuery(first.pk, other.pk)).rows
    assert [row.outcome for row in apart] == ["unpaired"] * 5
    assert sum(row.baseline is None for row in apart) == 2


def test_values_read_as_text() -> None:
    assert readable({"b": [1], "a": "x"}) == "b: [1]\na: x"
    assert readable([{"role": "user", "content": "hi"}, "plain"]) == "user: hi\nplain"
    assert (readable(None), readable(True), readable(1.5)) == ("", "true", "1.5")
    assert [value.name for value in named({"b": 1, "a": 2, "c": 3}, ["a", "missing"])] == ["a", "b", "c"]


def test_the_plan_reads_as_facts() -> None:
    run = EvalRun(
        parameters={"model": "p/m", "temperature": 0.2, "stop": ["\n", "END"]},
        plan={"examples": {"split": "test", "limit": 5, "filter": {"level": 1}}},
        repetitions=2,
        budget_usd=Decimal("1.500000"),
    )
    facts = {fact.name: fact.text for fact in plan_facts(run)}
    assert "Model" not in facts
    assert (facts["Temperature"], facts["Split"], facts["At most"]) == ("0.2", "test", "5 examples")
    assert (facts["Only where"], facts["Budget"], facts["Repetitions"]) == ("level = 1", "$1.5", "2")
