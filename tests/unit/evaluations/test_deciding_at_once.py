"""Two requests at the same moment: one vote for a double-click, one mover for a label."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from apps.core.errors import Conflict
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.evaluations.blind.votes import pair_vote_cast
from apps.evaluations.comparisons.decision_services import comparison_decide, labels_now
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import ItemScore, PairVote
from apps.prompts.models import PromptLabelMove
from tests.factories.core import SYSTEM, actor_for, make_member, make_project
from tests.unit.evaluations.test_blind import make_blind
from tests.unit.evaluations.test_decision import runs_and_versions, unsure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project()


def at_once(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """What both came to, errors of the product among it."""
    start = Barrier(2)

    def go(work: Callable[[], object]) -> object:
        start.wait()
        try:
            return work()
        except Conflict as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(go, (first, second)))


def test_a_double_click_is_one_vote(project: Project) -> None:
    comparison = make_blind(project)
    by = actor_for(make_member(project, Role.ANNOTATOR), project)
    one = comparison.baseline.items.earliest("position")
    other = comparison.candidates.get().items.earliest("position")

    def vote() -> object:
        return pair_vote_cast(comparison=comparison, by=by, one=one, other=other, winner=one)

    assert all(isinstance(result, PairVote) for result in at_once(vote, vote))
    assert PairVote.objects.count() == 1
    assert ItemScore.objects.filter(source="human").count() == 2
    assert AuditEvent.objects.filter(action__startswith="pair_vote").count() == 1


def test_two_who_decide_at_once_do_not_undo_each_other(project: Project) -> None:
    comparison = unsure(project)
    baseline, old, candidate, _ = runs_and_versions(comparison)
    seen = labels_now([baseline, candidate])

    def decide(run: object) -> Callable[[], object]:
        return lambda: comparison_decide(
            state=comparison_state(comparison, {}),
            by=SYSTEM,
            run=run,  # type: ignore[arg-type]
            label="production",
            reason="It is cheaper",
            seen=seen,
        )

    results = at_once(decide(baseline), decide(candidate))
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert PromptLabelMove.objects.count() == 1
    assert old.prompt.labels.count() == 1
