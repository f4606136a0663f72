"""Scoring the answers of a trial, one cell at a time, on the workers that its evaluators need.

A cell goes from one queue to the next until every evaluator has spoken. Who scores it has a claim for some
minutes; a claim that ran out, or a task that was lost, is found by the sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.core.dispatch import Priority, enqueue
from apps.evaluations.engine.scoring import Score, score_items, scores_of
from apps.evaluations.engine.stages import Stage
from apps.evaluations.engine.work import WorkItem
from apps.evaluations.evaluators import Unscored, kind
from apps.evaluations.models import EvaluatorVersion
from apps.workbench.calls.stream import Page, publish
from apps.workbench.models import Call, TrialCell, TrialScore
from apps.workbench.trials.evaluating import QUEUES, stages_of
from apps.workbench.trials.judging import cell_judge

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
#: A call that ended so long ago and is not scored has lost its task.
LOST_AFTER = timedelta(seconds=20)
MOST_ATTEMPTS = 3
SWEPT_AT_ONCE = 200
#: A task belongs to one queue, so the same work has one name for each.
TASKS = {
    "default": "worker.workbench.score_cell",
    "interactive": "worker.workbench.score_cell_by_calls",
    "local": "worker.workbench.score_local_cell",
}


def cell_ended(call: Call) -> None:
    """The call of a cell has ended: what was answered is scored, everything else is complete as it is."""
    cell = TrialCell.objects.filter(call=call, scored_at=None).first()
    if cell is None:
        return
    if call.status == Call.Status.COMPLETED:
        _go_on(cell)
    else:
        TrialCell.objects.filter(pk=cell.pk).update(scored_at=timezone.now())


def cell_score(cell_id: UUID, queue: str) -> None:
    """Score a cell with those of its evaluators that score on this queue and have not yet."""
    cell = _claim(cell_id)
    if cell is None or cell.call is None:
        return
    try:
        scores = _scores(cell, [v for v, stage in _missing(cell).items() if QUEUES[stage] == queue])
    except Exception:
        _release(cell)
        raise
    with transaction.atomic():
        ours = TrialCell.objects.select_for_update().filter(pk=cell.pk, scoring_lease=cell.scoring_lease)
        if not ours.filter(call=cell.call).exists():
            return  # somebody asked anew meanwhile, or took over
        _store(cell.call, scores)
        _release(cell)
    _go_on(cell)


def cells_sweep() -> None:
    """Find cells whose call has ended and that nobody scores."""
    now = timezone.now()
    free = Q(scoring_lease_until=None) | Q(scoring_lease_until__lt=now)
    ended = Q(call__finished_at__lt=now - LOST_AFTER)
    lost = TrialCell.objects.filter(free & ended, scored_at=None).select_related("call")
    for cell in lost.order_by("pk")[:SWEPT_AT_ONCE]:
        assert cell.call is not None
        if cell.scoring_attempts >= MOST_ATTEMPTS * len(TASKS):
            _give_up(cell)
        else:
            cell_ended(cell.call)


def _go_on(cell: TrialCell) -> None:
    """Send the cell to where it is scored next; it is complete when there is nowhere."""
    stage = next(iter(_missing(cell).values()), None)
    if stage is not None:
        queue = QUEUES[stage]
        # A person's next run goes before the many scores of a trial.
        enqueue(TASKS[queue], queue=queue, priority=Priority.RUN, cell_id=str(cell.pk))
        return
    TrialCell.objects.filter(pk=cell.pk, call=cell.call_id).update(scored_at=timezone.now())
    _tell(cell)


def _tell(cell: TrialCell) -> None:
    call = cell.call
    if call is not None:
        event = {"type": "trial", "purpose": "trial", "trial": str(cell.trial_id), "cell": str(cell.pk)}
        publish(Page.of_call(call), event)


def _missing(cell: TrialCell) -> dict[EvaluatorVersion, Stage]:
    """The evaluator versions that have not scored the cell's call, with where they do."""
    done = TrialScore.objects.filter(call=cell.call_id).values("evaluator_version")
    versions = cell.trial.evaluator_versions.exclude(pk__in=done).select_related("evaluator")
    return stages_of(project_id=cell.trial.project_id, versions=list(versions.order_by("evaluator__slug")))


def _claim(cell_id: UUID) -> TrialCell | None:
    """The cell, if it waits to be scored and nobody else is at it."""
    now, lease = timezone.now(), uuid4()
    free = Q(scoring_lease_until=None) | Q(scoring_lease_until__lt=now)
    waiting = TrialCell.objects.filter(free, pk=cell_id, scored_at=None)
    claimed = waiting.filter(call__status=Call.Status.COMPLETED).update(
        scoring_lease=lease, scoring_lease_until=now + LEASE, scoring_attempts=F("scoring_attempts") + 1
    )
    if not claimed:
        return None
    cells = TrialCell.objects.select_related("trial__project", "example", "call__span")
    return cells.get(pk=cell_id)


def _release(cell: TrialCell) -> None:
    ours = TrialCell.objects.filter(pk=cell.pk, scoring_lease=cell.scoring_lease)
    ours.update(scoring_lease=None, scoring_lease_until=None)


def _scores(cell: TrialCell, versions: Sequence[EvaluatorVersion]) -> list[Score]:
    item = _work_item(cell)
    plain = [version for version in versions if kind(version.evaluator.kind).by_calls is None]
    judged = [version for version in versions if version not in plain]
    return [
        *score_items(plain, [item]),
        *(score for version in judged for score in cell_judge(cell, version, item)),
    ]


def _work_item(cell: TrialCell) -> WorkItem:
    call, example = cell.call, cell.example
    assert call is not None
    return WorkItem(
        id=call.pk,
        example_key=example.key,
        repetition=1,
        attempts=0,
        inputs=example.inputs,
        reference=example.reference,
        metadata=example.metadata,
        output=call.output,
        tool_calls=call.tool_calls,
        finish_reason=call.finish_reason,
        latency_ms=call.duration_ms,
        cost_usd=call.cost_usd,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        rendered=call.messages,
    )


def _store(call: Call, scores: Sequence[Score]) -> None:
    TrialScore.objects.bulk_create(
        [
            TrialScore(
                call=call,
                evaluator_version_id=score.evaluator_version_id,
                metric=score.metric,
                value=score.value,
                label=score.label,
                detail=score.detail,
            )
            for score in scores
        ],
        ignore_conflicts=True,
    )


def _give_up(cell: TrialCell) -> None:
    """Scoring broke off again and again: what is missing says so, and the cell is complete."""
    assert cell.call is not None
    reason = Unscored("Scoring broke off several times. The worker's log says why.")
    for version in _missing(cell):
        _store(cell.call, scores_of(version, cell.call.pk, reason))
    TrialCell.objects.filter(pk=cell.pk, call=cell.call_id).update(scored_at=timezone.now())
    _tell(cell)
