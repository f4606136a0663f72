"""Driving a run in short slices, each of which enqueues its successor: no run holds a worker."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

from apps.core.dispatch import others_wait, person_waits
from apps.evaluations.engine.answering import AnsweringSlice, ItemAnswers
from apps.evaluations.engine.assisting import Helpers, call_assistants
from apps.evaluations.engine.batches import LOCAL_BATCH, LOCAL_CLAIM, answer_batch, like_lengths
from apps.evaluations.engine.budget import calls_left, spent_words
from apps.evaluations.engine.handover import hand_over
from apps.evaluations.engine.leases import items_claim, items_release, kept_alive, run_claim, turn_lasts
from apps.evaluations.engine.states import eval_run_fail_rest, eval_run_pause_by_system
from apps.evaluations.engine.work import Failure, pauses_the_run
from apps.evaluations.models import EvalRun

_driven_here: set[UUID] = set()
_driven_lock = threading.Lock()


def drive_run(run_id: UUID, turn: int) -> None:
    """One slice of answering by calls to an endpoint."""
    run = run_claim(run_id, turn)
    if run is None:
        return
    slice_ = AnsweringSlice(run)
    with _driving(run.pk), kept_alive(run, slice_.token) as lost:
        helpers = Helpers(lambda: call_assistants(run))
        slice_.work(lost, each_turn=helpers.look)
    _end(run, slice_.items.stopped_by, over_budget=slice_.over_budget, wait_s=slice_.wait_s)


def assist_run(run_id: UUID, turn: int, tries: int) -> None:
    """Answer items of a run that another process drives, as long as its turn lasts."""
    run = EvalRun.objects.select_related("project", "prompt_version", "model__provider", "dataset_version")
    found = run.filter(pk=run_id, driver_token=turn, status="running").first()
    if found is None:
        return
    if run_id in _driven_here:  # the message came back to the driver's own process
        call_assistants(found, tries=tries + 1)
        return
    slice_ = AnsweringSlice(found)
    with _driving(run_id), kept_alive(found, slice_.token, as_driver=False) as lost:
        slice_.work(lost, while_open=lambda: turn_lasts(found))


def drive_local_run(run_id: UUID, turn: int) -> None:
    """One slice of answering on the model in this process's memory: batches, until somebody else waits."""
    from apps.providers.local_model import local_engine

    run = run_claim(run_id, turn)
    if run is None:
        return
    if person_waits(run.queue):
        hand_over(run)
        return
    token, most = uuid4(), LOCAL_CLAIM
    if (left := calls_left(run, 0)) is not None:
        most = min(most, left)
        if not most and run.items.filter(status="pending").exists():
            _end(run, None, over_budget=True)
            return
    items = ItemAnswers(run, token)
    generate = local_engine(items.connection).generate
    try:
        with kept_alive(run, token) as lost:
            calls, answers = items.calls_of(items_claim(run, status="pending", token=token, most=most))
            items.store(answers)
            for batch in like_lengths(calls, LOCAL_BATCH, of=lambda call: call.request):
                items.store(answer_batch(batch, generate))
                if lost.is_set() or items.stopped_by is not None or others_wait(run.queue):
                    break
    finally:
        items_release(token)
    _end(run, items.stopped_by)


def _end(run: EvalRun, stopped_by: Failure | None, *, over_budget: bool = False, wait_s: float = 0.0) -> None:
    if stopped_by is None and over_budget:
        eval_run_pause_by_system(run=run, reason=spent_words(run))
    elif stopped_by is None:
        hand_over(run, at_least=timedelta(seconds=wait_s))
    elif pauses_the_run(stopped_by):
        eval_run_pause_by_system(run=run, reason=stopped_by.message)
    else:
        eval_run_fail_rest(run=run, kind=stopped_by.kind, reason=stopped_by.message)


class _driving:
    """Notes that this process works on a run, for as long as the block lasts."""

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id

    def __enter__(self) -> None:
        with _driven_lock:
            _driven_here.add(self._run_id)

    def __exit__(self, *_: object) -> None:
        with _driven_lock:
            _driven_here.discard(self._run_id)
