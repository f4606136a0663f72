"""Slices of scoring what is answered: at once, with a model in memory, or by calls."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from uuid import UUID, uuid4

from apps.core.dispatch import others_wait, person_waits
from apps.evaluations.engine.batches import LOCAL_BATCH, LOCAL_CLAIM
from apps.evaluations.engine.handover import hand_over
from apps.evaluations.engine.judge_budget import judges_stopped_words
from apps.evaluations.engine.judging import Judging, JudgingSlice, judge_locally
from apps.evaluations.engine.leases import items_claim, items_release, kept_alive, run_claim
from apps.evaluations.engine.results import scored_store
from apps.evaluations.engine.scoring import score_items
from apps.evaluations.engine.stages import Stage, evaluators_by_stage, stage_after
from apps.evaluations.engine.states import eval_run_pause_by_system
from apps.evaluations.models import EvalRun

#: Items of a slice that asks nobody; those that the model in memory scores go in batches.
SCORING_SLICE = 256


def score_run(run_id: UUID, turn: int, stage: int) -> None:
    """One slice of scoring what is answered and waits for `stage`."""
    run = run_claim(run_id, turn)
    if run is None:
        return
    if Stage(stage).queue == "local" and person_waits("local"):
        hand_over(run)
        return
    {
        Stage.INLINE: _score_at_once,
        Stage.MEMORY: _score_in_memory,
        Stage.CALLS: _score_by_calls,
        Stage.LOCAL_CALLS: _score_by_local_calls,
    }[Stage(stage)](run)


def _score_at_once(run: EvalRun) -> None:
    token = uuid4()
    try:
        with kept_alive(run, token):
            _score(run, Stage.INLINE, token, claim=SCORING_SLICE, batch=SCORING_SLICE)
    finally:
        items_release(token)
    hand_over(run)


def _score_in_memory(run: EvalRun) -> None:
    token = uuid4()
    try:
        with kept_alive(run, token) as lost:
            _score(run, Stage.MEMORY, token, claim=LOCAL_CLAIM, batch=LOCAL_BATCH, lost=lost)
    finally:
        items_release(token)
    hand_over(run)


def _score(
    run: EvalRun, stage: Stage, token: UUID, *, claim: int, batch: int, lost: Event | None = None
) -> None:
    """Score and store batch by batch, until there is none, or somebody else waits for the model."""
    by_stage = evaluators_by_stage(run)
    items = items_claim(run, status="answered", stage=stage, token=token, most=claim)
    # Those of like length share a batch, the longest first.
    items.sort(key=lambda item: len(item.output), reverse=stage is Stage.MEMORY)
    while items and not (lost and lost.is_set()):
        taken, items = items[:batch], items[batch:]
        scores = score_items(by_stage.get(stage, []), taken)
        ids = [item.id for item in taken]
        scored_store(token=token, item_ids=ids, scores=scores, next_stage=stage_after(stage, list(by_stage)))
        if items and others_wait(stage.queue):
            break


def _score_by_calls(run: EvalRun) -> None:
    slice_ = JudgingSlice(run, Stage.CALLS)
    with kept_alive(run, slice_.token) as lost:
        slice_.work(lost)
    if slice_.judging.stopped_by:
        eval_run_pause_by_system(run=run, reason=slice_.judging.stopped_by)
    elif slice_.over_budget:
        eval_run_pause_by_system(run=run, reason=judges_stopped_words(run))
    else:
        hand_over(run, at_least=timedelta(seconds=slice_.wait_s))


def _score_by_local_calls(run: EvalRun) -> None:
    token = uuid4()
    judging = Judging(run, Stage.LOCAL_CALLS, token)
    try:
        with kept_alive(run, token) as lost:
            if not judging.stopped_by:
                judge_locally(run, judging, lost, claim=LOCAL_CLAIM, batch=LOCAL_BATCH)
    finally:
        items_release(token)
    if judging.stopped_by:
        eval_run_pause_by_system(run=run, reason=judging.stopped_by)
    else:
        hand_over(run)
