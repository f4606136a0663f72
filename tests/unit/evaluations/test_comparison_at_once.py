"""A comparison that several people, or several workers, are at in the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from apps.core.errors import ProductError
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.datasets.models import Dataset, Example
from apps.evaluations.blind.votes import pair_vote_cast
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.collecting import rows_collect
from apps.evaluations.comparisons.figures import figures_again, figures_ask
from apps.evaluations.comparisons.row_comments import comment_add, comment_delete, comment_edit
from apps.evaluations.comparisons.row_pages import chosen_metric, row_query, shared_metrics
from apps.evaluations.comparisons.rows import first_rows
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison, ComparisonFigures, EvalItem, PairVote, RowComment
from tests.factories.core import SYSTEM, actor_for, make_member, make_project
from tests.unit.evaluations.test_blind import make_blind
from tests.unit.evaluations.test_comparison_row_pages import make_one

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project()


def at_once(works: Sequence[Callable[[], object]]) -> list[object]:
    """What each came to, refusals of the product among it; whatever else is raised fails the test."""
    start = Barrier(len(works))

    def go(work: Callable[[], object]) -> object:
        start.wait()
        try:
            return work()
        except ProductError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(go, works))


def crossed(comparison: Comparison) -> list[tuple[EvalItem, EvalItem]]:
    """The pairs of outputs, the first of every second pair being of the other run, by their ids."""
    sides = [comparison.baseline, comparison.candidates.get()]
    return list(zip(*(run.items.order_by("position") for run in sides), strict=True))


def test_many_who_vote_at_once_do_not_stop_each_other(project: Project) -> None:
    comparison = make_blind(project, 8)
    people = [actor_for(make_member(project, Role.ANNOTATOR), project) for _ in range(4)]
    pairs = crossed(comparison)

    def voter(number: int) -> Callable[[], object]:
        def votes() -> int:
            for one, other in pairs if number % 2 else pairs[::-1]:
                pair_vote_cast(comparison=comparison, by=people[number], one=one, other=other, winner=one)
            return len(pairs)

        return votes

    assert at_once([voter(number) for number in range(4)]) == [8] * 4
    assert PairVote.objects.count() == 32
    tallies = {tally.scored for run in (pairs[0][0].run, pairs[0][1].run) for tally in run.tallies.all()}
    assert tallies == {32}


def test_votes_on_pairs_whose_ids_cross_do_not_lock_each_other_out(project: Project) -> None:
    """Runs that are made at once have items whose ids do not come in the order of the runs."""
    comparison = make_blind(project, 8)
    first, second = comparison.baseline, comparison.candidates.get()
    swapped = list(first.items.order_by("position")[4:])
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for item in swapped:
            cursor.execute(
                "UPDATE evaluations_evalitem SET id = %s WHERE id = %s",
                ["ffffffff" + str(item.pk)[8:], item.pk],
            )
        cursor.execute("SET session_replication_role = origin")
    people = [actor_for(make_member(project, Role.ANNOTATOR), project) for _ in range(4)]
    pairs = crossed(comparison)
    assert len({one.pk < other.pk for one, other in pairs}) == 2

    def voter(number: int) -> Callable[[], object]:
        def votes() -> int:
            for one, other in pairs[number % 2 * 4 :] + pairs[: number % 2 * 4]:
                pair_vote_cast(comparison=comparison, by=people[number], one=one, other=other, winner=one)
            return len(pairs)

        return votes

    assert at_once([voter(number) for number in range(4)]) == [8] * 4
    assert {tally.scored for run in (first, second) for tally in run.tallies.all()} == {32}


def test_two_who_add_the_same_rows_at_once_add_them_once(project: Project) -> None:
    comparison = make_one(project)
    state = comparison_state(comparison, {})
    rows = first_rows(row_query(state, chosen_metric(state, shared_metrics(state))), 100)

    def add(dataset: Dataset | None) -> Callable[[], object]:
        return lambda: rows_collect(
            project=project, by=SYSTEM, state=state, rows=rows, dataset=dataset, name="Regressions"
        )

    results = at_once([add(None), add(None)])
    assert sum(isinstance(result, ProductError) for result in results) == 1, results
    dataset = Dataset.objects.get(name="Regressions")
    assert Example.objects.filter(dataset=dataset, valid_to=None).count() == len(rows)
    at_once([add(dataset)] * 3)
    assert dataset.versions.count() == 1
    assert Example.objects.filter(dataset=dataset, valid_to=None).count() == len(rows)


def test_a_comment_that_is_changed_and_deleted_at_once_is_one_or_the_other(project: Project) -> None:
    comparison = make_one(project)
    example = comparison.baseline.items.earliest("position").example_id
    for _ in range(5):
        comment = comment_add(comparison=comparison, by=SYSTEM, example_id=example, text="First")
        stale = [RowComment.objects.get(pk=comment.pk) for _ in range(3)]
        works = [
            lambda stale=stale: comment_edit(
                comparison=comparison, by=SYSTEM, comment=stale[0], text="Second"
            ),
            lambda stale=stale: comment_delete(comparison=comparison, by=SYSTEM, comment=stale[1]),
            lambda stale=stale: comment_delete(comparison=comparison, by=SYSTEM, comment=stale[2]),
        ]
        at_once(works)
    assert not RowComment.objects.exists()
    assert AuditEvent.objects.filter(action="row_comment.delete").count() == 5


def test_two_workers_and_two_readers_of_one_part_leave_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ComparisonFigures] = []
    monkeypatch.setattr("apps.evaluations.comparisons.figures.enqueue_figures", asked.append)
    comparison = make_one(project)
    comparison.figures.all().delete()
    at_once([lambda: figures_ask(comparison, comparison.baseline_id)] * 4)
    assert len(asked) == 1
    at_once([lambda: figures_make(comparison.pk, comparison.baseline_id, "metrics", "")] * 3)
    kept = comparison.figures.get()
    assert kept.figures
    assert (kept.error, kept.asked_at) == ("", None)
    kept.error = "The worker had no memory."
    kept.save()
    at_once([lambda: figures_again(comparison)] * 4)
    assert len(asked) == 2
