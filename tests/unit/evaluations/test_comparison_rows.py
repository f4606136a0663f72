"""The rows of a comparison in the database: paired, judged, narrowed, in order, page by page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.core.models import Project
from apps.datasets.models import DatasetVersion, Example
from apps.evaluations.comparisons.row_sql import read_cursor
from apps.evaluations.comparisons.rows import (
    ComparedRow,
    RowQuery,
    compared_rows,
    every_row,
    other_texts,
    pairs_of_example,
)
from apps.evaluations.models import EvalRun, ItemScore
from tests.factories.evaluations import BY, make_dataset_version, make_run

pytestmark = pytest.mark.django_db
METRIC = "quality"


def make_query(baseline: EvalRun, candidate: EvalRun, **more: object) -> RowQuery:
    query = RowQuery(baseline.pk, candidate.pk, METRIC, "recorded", "higher")
    return replace(query, **more)  # type: ignore[arg-type]


def make_runs(
    project: Project,
    first: list[float | None],
    second: list[float | None],
    *,
    repetitions: int = 1,
    outputs: tuple[list[str | None], list[str | None]] | None = None,
    splits: tuple[str, ...] = (),
) -> tuple[EvalRun, EvalRun]:
    version = make_dataset_version(project, len(first) // repetitions, splits=splits)
    texts = outputs or (["same"] * len(first), ["same"] * len(second))
    runs = [
        make_run(project, version, scores={METRIC: values}, outputs=of_run, repetitions=repetitions)
        for values, of_run in zip((first, second), texts, strict=True)
    ]
    return runs[0], runs[1]


def names(rows: list[ComparedRow]) -> list[str]:
    return [row.item.example_key for row in rows]


@pytest.fixture
def runs(project: Project) -> tuple[EvalRun, EvalRun]:
    """q0 tied, q1 a little worse, q2 better, q3 much worse, q4 unscored, q5 failed, q6 tied."""
    return make_runs(
        project,
        [0.5, 0.5, 0.2, 0.9, 0.5, 0.5, 0.5],
        [0.5, 0.4, 0.3, 0.1, None, None, 0.5],
        outputs=(["a"] * 7, ["a", "b", "c", "d", "e", None, "not a"]),
    )


def test_the_largest_regression_comes_first_and_ties_last(runs: tuple[EvalRun, EvalRun]) -> None:
    rows = compared_rows(make_query(*runs)).rows
    assert names(rows) == ["q3", "q1", "q2", "q4", "q5", "q0", "q6"]
    assert [row.outcome for row in rows] == ["worse"] * 2 + ["better"] + ["missing"] * 2 + ["tied"] * 2
    assert rows[0].change == pytest.approx(-0.8)
    assert rows[3].change is None
    assert [row.differs for row in rows] == [True, True, True, True, False, False, True]


def test_lower_is_better_turns_it_around(runs: tuple[EvalRun, EvalRun]) -> None:
    rows = compared_rows(make_query(*runs, direction="lower")).rows
    assert [(row.item.example_key, row.outcome) for row in rows[:3]] == [
        ("q2", "worse"),
        ("q3", "better"),
        ("q1", "better"),
    ]


@pytest.mark.parametrize(
    ("show", "keys"),
    [
        ("", ["q3", "q1", "q2", "q4", "q5", "q0", "q6"]),
        ("worse", ["q3", "q1"]),
        ("better", ["q2"]),
        ("tied", ["q0", "q6"]),
        ("error", ["q5"]),
        ("missing", ["q4", "q5"]),
        ("differs", ["q3", "q1", "q2", "q4", "q6"]),
        ("unpaired", []),
    ],
)
def test_each_filter_shows_what_its_count_says(
    runs: tuple[EvalRun, EvalRun], show: str, keys: list[str]
) -> None:
    query = make_query(*runs, show=show)
    found = compared_rows(query)
    assert names(found.rows) == keys
    assert getattr(found.counts, show or "total") == len(keys)
    assert names(list(every_row(query))) == keys
    assert other_texts(query) == 5


def test_counting_other_texts_can_wait(runs: tuple[EvalRun, EvalRun]) -> None:
    assert compared_rows(make_query(*runs), count_texts=False).counts.differs is None
    assert compared_rows(make_query(*runs, show="differs"), count_texts=False).counts.differs == 5


def test_without_a_metric_other_texts_come_first(runs: tuple[EvalRun, EvalRun]) -> None:
    found = compared_rows(make_query(*runs, metric=""))
    assert names(found.rows) == ["q1", "q2", "q3", "q4", "q6", "q5", "q0"]
    assert {row.outcome for row in found.rows} == {"", "missing"}
    assert (found.counts.worse, found.counts.missing, found.counts.error) == (0, 1, 1)
    assert names(compared_rows(make_query(*runs, direction="")).rows)[-1] == "q0"


@pytest.mark.parametrize(
    ("narrowing", "keys"),
    [
        ({"slice": "level", "value": "0"}, {"q0", "q3", "q6"}),
        ({"slice": "level", "value": "none"}, set()),
        ({"slice": "@split", "value": "hard"}, {"q1", "q3", "q5"}),
        ({"slice": "level", "value": "0", "show": "worse"}, {"q3"}),
        ({"q": "NOT"}, {"q6"}),
        ({"q": "étude"}, {"q6"}),
        ({"q": "q2"}, {"q2"}),
        ({"q": " #3 "}, {"q2"}),
        ({"q": "#99"}, set()),
        ({"q": "WHAT IS 4"}, {"q4"}),
        ({"q": "question"}, set()),
        ({"q": "%"}, set()),
        ({"q": "not", "slice": "level", "value": "1"}, set()),
        ({"on": "baseline", "low": 0.9, "high": 0.9}, {"q3"}),
        ({"on": "candidate", "low": 0.3, "high": 0.5}, {"q1", "q2"}),
        ({"on": "candidate", "low": 0.5}, {"q0", "q6"}),
        ({"on": "change", "high": 0.0}, {"q1", "q3"}),
        ({"on": "elsewhere", "high": 0.0}, {f"q{place}" for place in range(7)}),
    ],
)
def test_rows_and_counts_are_narrowed_together(
    project: Project, narrowing: dict[str, object], keys: set[str]
) -> None:
    first, second = make_runs(
        project,
        [0.5, 0.5, 0.2, 0.9, 0.5, 0.5, 0.5],
        [0.5, 0.4, 0.3, 0.1, None, None, 0.5],
        outputs=(["a"] * 7, ["a", "b", "c", "d", "e", None, "not a ÉTUDE"]),
        splits=("easy", "hard"),
    )
    query = make_query(first, second, **narrowing)
    found = compared_rows(query)
    assert set(names(found.rows)) == keys
    if not query.show:
        assert found.counts.total == len(keys)


def test_a_value_in_a_list_is_a_slice_too(project: Project) -> None:
    version = make_dataset_version(project, 2)
    Example.objects.create(
        dataset=version.dataset,
        key="tagged",
        valid_from=1,
        position=9,
        inputs={"question": "?"},
        metadata={"tags": ["long", "hard", 3], "solved": True},
        content_hash="tagged",
    )
    first, second = (make_run(project, version, scores={METRIC: [0.5] * 3}) for _ in range(2))
    for column, value in (("tags", "hard"), ("tags", "3"), ("solved", "true")):
        query = make_query(first, second, slice=column, value=value)
        assert names(compared_rows(query).rows) == ["tagged"]


@pytest.mark.parametrize("show", ["", "worse", "tied", "missing", "differs"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_paging_forward_and_back_neither_doubles_nor_loses_a_row(
    project: Project, show: str, size: int
) -> None:
    first = [float(place % 5) / 4 for place in range(40)]
    second: list[float | None] = [None if place % 11 == 0 else float(place % 3) / 2 for place in range(40)]
    texts: list[str | None] = [None if place % 13 == 1 else f"text {place % 2}" for place in range(40)]
    runs = make_runs(project, list(first), second, repetitions=2, outputs=(["text 0"] * 40, [*texts]))
    query = make_query(*runs, show=show)
    whole = [(row.item.example_key, row.repetition) for row in every_row(query)]
    seen, after, pages = [], "", []
    while True:
        page = compared_rows(query, after=after, size=size)
        pages.append([(row.item.example_key, row.repetition) for row in page.rows])
        seen += pages[-1]
        assert (page.previous is None) == (len(pages) == 1)
        if page.next is None:
            break
        after = page.next
    assert seen == whole
    assert len(set(seen)) == len(seen)
    before, back = page.previous, []
    while before is not None:
        earlier = compared_rows(query, before=before, size=size)
        back.insert(0, [(row.item.example_key, row.repetition) for row in earlier.rows])
        assert earlier.next is not None
        before = earlier.previous
    assert [row for rows in back for row in rows] == [row for rows in pages[:-1] for row in rows]


def make_next_version(version: DatasetVersion) -> DatasetVersion:
    """q0 as it was, q1 changed, q2 gone, q9 new."""
    examples = Example.objects.filter(dataset=version.dataset)
    examples.filter(key__in=["q1", "q2"]).update(valid_to=2)
    for key, question in (("q1", "What is 1 + 1, really?"), ("q9", "What is 9 + 1?")):
        Example.objects.create(
            dataset=version.dataset,
            key=key,
            valid_from=2,
            position=9,
            inputs={"question": question},
            reference="2",
            content_hash=key,
        )
    return DatasetVersion.objects.create(
        dataset=version.dataset, number=2, example_count=3, added=1, changed=1, removed=1, columns={}, **BY
    )


@pytest.fixture
def across(project: Project) -> tuple[EvalRun, EvalRun]:
    version = make_dataset_version(project, 3)
    first = make_run(project, version, scores={METRIC: [1.0, 1.0, 1.0]})
    newer = make_next_version(version)
    second = make_run(project, newer, scores={METRIC: [0.0] * 5})
    gone = Example.objects.filter(dataset=version.dataset, valid_to__lte=2)
    second.items.filter(example__in=gone).delete()
    return first, second


def test_runs_over_two_versions_are_paired_on_what_did_not_change(across: tuple[EvalRun, EvalRun]) -> None:
    found = compared_rows(make_query(*across, across=True))
    assert [(row.item.example_key, row.outcome, row.kind) for row in found.rows] == [
        ("q0", "worse", ""),
        ("q1", "unpaired", "changed"),
        ("q2", "unpaired", "baseline"),
        ("q9", "unpaired", "candidate"),
    ]
    assert (found.counts.total, found.counts.worse, found.counts.unpaired) == (4, 1, 3)
    assert found.counts.missing == 0
    shown = compared_rows(make_query(*across, across=True, show="unpaired"), size=1)
    rest = compared_rows(make_query(*across, across=True, show="unpaired"), after=shown.next or "", size=2)
    assert names([*shown.rows, *rest.rows]) == ["q1", "q2", "q9"]
    assert rest.next is None


def test_a_changed_example_is_shown_in_both_states(across: tuple[EvalRun, EvalRun]) -> None:
    query = make_query(*across, across=True)
    changed = compared_rows(query).rows[1]
    assert changed.baseline is not None
    assert changed.candidate is not None
    for item in (changed.baseline, changed.candidate):
        (pair,) = pairs_of_example(query, item.example_id)
        assert (pair.kind, pair.outcome) == ("changed", "unpaired")
        assert pair.baseline == changed.baseline
        assert pair.candidate == changed.candidate


def test_several_raters_are_averaged_and_repetitions_stand_apart(project: Project) -> None:
    first, second = make_runs(project, [0.5, 0.5, 0.5, 0.5], [0.4, 0.6, 0.5, 0.5], repetitions=2)
    item = second.items.get(example_key="q0", repetition=2)
    ItemScore.objects.create(item=item, metric=METRIC, source="recorded", rater="ada", value=0.2)
    query = make_query(first, second)
    found = {(row.item.example_key, row.repetition): row for row in compared_rows(query).rows}
    assert found["q0", 1].outcome == "worse"
    assert found["q0", 2].candidate_value == pytest.approx(0.4)
    assert found["q0", 2].outcome == "worse"
    assert found["q1", 2].outcome == "tied"
    pairs = pairs_of_example(query, item.example_id)
    assert [(pair.repetition, pair.outcome, pair.candidate_value) for pair in pairs] == [
        (row.repetition, row.outcome, row.candidate_value) for row in (found["q0", 1], found["q0", 2])
    ]


def test_a_page_takes_three_queries_however_long_the_runs(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for size in (4, 60):
        query = make_query(*make_runs(project, [0.5] * size, [0.4] * size))
        with django_assert_num_queries(3):
            compared_rows(query)


@pytest.mark.parametrize(
    "text", ["", "1_2_3", "0_nan_1_1_" + "0" * 32, "0_0.0_1_1_x", "é_0.0_1_1_x", "0_0.0_-1_1_" + "0" * 32]
)
def test_what_is_no_cursor_is_the_beginning(runs: tuple[EvalRun, EvalRun], text: str) -> None:
    assert read_cursor(text) is None
    assert len(compared_rows(make_query(*runs), after=text).rows) == 7
