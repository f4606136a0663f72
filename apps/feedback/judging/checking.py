"""Whether judges agree with people: what is kept of it, made by a worker where ratings have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max

from apps.core.models import Project
from apps.evaluations.evaluators import MetricSpec
from apps.evaluations.models import EvalRun, EvaluatorVersion, RunTally
from apps.feedback.agreement.keeping import FiguresState, figures_ask, figures_keep, figures_state
from apps.feedback.judging.figures import judge_figures
from apps.feedback.judging.matching import Match, Questions, match_of, metrics_checked, questions_of
from apps.feedback.models import AnnotationChange, JudgeFigures

TASK = "worker.feedback.check_judge"
HUMAN, SCORED = "human", "evaluator"
#: Raised when the figures themselves change, so that those kept are made again.
EDITION = 1
NOTHING = FiguresState(None, "", waiting=False, stale=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One metric of an evaluator version, the ratings it is held against, and what is known of both."""

    version: EvaluatorVersion
    spec: MetricSpec
    match: Match
    made_of: str
    state: FiguresState

    @property
    def rated(self) -> bool:
        """Whether people have rated anything that it scored."""
        return bool(self.made_of)


def checks_of(
    project: Project, versions: Iterable[EvaluatorVersion], *, asked: str = "", ask: bool = True
) -> list[Check]:
    """Each metric of items of each version. The number of queries does not grow with either, but for asking
    a worker for what has changed.
    """
    versions = list(versions)
    questions = questions_of(project)
    tallies, changes = _tallies(versions), _changes(questions)
    kept = {
        (row.evaluator_version_id, row.metric): row
        for row in JudgeFigures.objects.filter(evaluator_version__in=versions, asked=asked)
    }
    found = []
    for version in versions:
        for spec in metrics_checked(version):
            match = match_of(version, spec.name, questions, asked)
            made_of = _made_of(version, spec, match, tallies, changes)
            state = figures_state(kept.get((version.pk, spec.name)), made_of) if made_of else NOTHING
            if state.waiting and ask:
                _ask(version, spec.name, asked)
            found.append(Check(version, spec, match, made_of, state))
    return found


def _ask(version: EvaluatorVersion, metric: str, asked: str) -> None:
    own: dict[str, Any] = {"evaluator_version": version, "metric": metric, "asked": asked}
    JudgeFigures.objects.get_or_create(**own)
    figures_ask(
        JudgeFigures.objects.filter(**own), TASK, version_id=str(version.pk), metric=metric, asked=asked
    )


Tallies = dict[UUID, list[tuple[Any, ...]]]


def _tallies(versions: Sequence[EvaluatorVersion]) -> Tallies:
    """For each version: (metric, source, run, scored, unscored, total) of the runs that it scored."""
    ids = {version.pk for version in versions}
    rated = RunTally.objects.filter(
        source=HUMAN, run__evaluator_versions__in=ids, run__finalized_at__isnull=False
    )
    rows = RunTally.objects.filter(
        source__in=(HUMAN, SCORED), run__in=rated.values("run"), run__evaluator_versions__in=ids
    )
    columns = ("metric", "source", "run_id", "scored", "unscored", "total")
    found: Tallies = {}
    for version_id, *rest in rows.values_list("run__evaluator_versions", *columns):
        found.setdefault(version_id, []).append(tuple(rest))
    return found


def _changes(questions: Questions) -> dict[UUID, int]:
    """The newest change of each queue with a question: labels change without any sum that would tell."""
    queues = {one.queue_id for given in questions.values() for one in given}
    rows = AnnotationChange.objects.filter(queue__in=queues).values_list("queue_id")
    return dict(rows.annotate(newest=Max("id")).order_by())


def _made_of(
    version: EvaluatorVersion, spec: MetricSpec, match: Match, tallies: Tallies, changes: dict[UUID, int]
) -> str:
    """The state of the ratings and scores; "" where people have rated nothing that was scored."""
    own = tallies.get(version.pk, [])
    people = [row for row in own if row[1] == HUMAN and row[0] in match.metrics and (row[3] or row[4])]
    if not people:
        return ""
    runs = {row[2] for row in people}
    judge = [row for row in own if row[1] != HUMAN and row[0] == spec.name and row[2] in runs]
    newest = [changes.get(queue) for queue in match.queues]
    told = [EDITION, match, sorted(map(str, [*people, *judge])), newest]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def judge_figures_make(version_id: UUID, metric: str, asked: str) -> None:
    """Make the figures of one metric, unless they are of this very state. Safe to call twice."""
    version = EvaluatorVersion.objects.select_related("evaluator__project").filter(pk=version_id).first()
    if version is None:
        return
    checks = checks_of(version.evaluator.project, [version], asked=asked, ask=False)
    check = next((one for one in checks if one.spec.name == metric and one.rated), None)
    if check is None:
        return
    kept, _ = JudgeFigures.objects.get_or_create(evaluator_version=version, metric=metric, asked=asked)
    if kept.made_of == check.made_of and not kept.error:
        JudgeFigures.objects.filter(pk=kept.pk).update(asked_at=None)
        return
    figures_keep(kept, check.made_of, lambda: _figures(check))


def _figures(check: Check) -> dict[str, Any]:
    rated = RunTally.objects.filter(source=HUMAN, metric__in=check.match.metrics).values("run_id")
    runs = EvalRun.objects.filter(pk__in=rated, evaluator_versions=check.version, finalized_at__isnull=False)
    return judge_figures(check.version, check.spec, check.match, list(runs))
