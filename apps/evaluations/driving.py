"""Driving a run in short slices, each of which enqueues its successor: no run holds a worker."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from datetime import timedelta
from threading import Event
from uuid import UUID, uuid4

from django.db.models import Min
from django.utils import timezone

from apps.evaluations.answering import CallPool, answer_batch
from apps.evaluations.budget import calls_left, spent_words
from apps.evaluations.engine import Answer, Failure, WorkItem, pauses_the_run, stop_the_run
from apps.evaluations.leases import (
    items_claim,
    items_held_by_others,
    items_release,
    kept_alive,
    run_claim,
    run_release,
)
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.requests import RequestBuilder
from apps.evaluations.results import answers_store, scored_store
from apps.evaluations.run_dispatch import enqueue_drive, enqueue_scoring
from apps.evaluations.run_states import eval_run_complete, eval_run_fail_rest, eval_run_pause_by_system
from apps.evaluations.scoring import run_evaluators, score_items
from apps.providers.services import provider_connection

SLICE_S = 5.0
FLUSH_EVERY_S = 0.25
#: Items of one local slice: interactive requests get their turn between two slices.
LOCAL_SLICE = 16
SCORING_SLICE = 256


def drive_run(run_id: UUID, turn: int) -> None:
    """One slice of answering by calls to an endpoint."""
    run = run_claim(run_id, turn)
    if run is None:
        return
    _Slice(run).work_by_calls()


def drive_local_run(run_id: UUID, turn: int) -> None:
    """One slice of answering on the model in this process's memory: one batch."""
    run = run_claim(run_id, turn)
    if run is None:
        return
    _Slice(run).work_by_batch()


def score_run(run_id: UUID, turn: int) -> None:
    """One slice of scoring what is answered."""
    run = run_claim(run_id, turn)
    if run is None:
        return
    token = uuid4()
    with kept_alive(run, token):
        items = items_claim(run, status="answered", token=token, most=SCORING_SLICE)
        if items:
            evaluators = run_evaluators(run, in_memory=True)
            if run.recorded:
                evaluators += run_evaluators(run, in_memory=False)
            scores = score_items(evaluators, items)
            scored_store(token=token, item_ids=[item.id for item in items], scores=scores)
    _hand_over(run)


class _Slice:
    """One turn at a run: claims, answers, scores and stores until its time is up or nothing is left."""

    def __init__(self, run: EvalRun) -> None:
        if run.model is None:
            raise ValueError(f"Run {run.pk} records outputs made elsewhere; there is nothing to drive.")
        self.run = run
        self.token = uuid4()
        self.builder = RequestBuilder(run)
        self.connection = provider_connection(run.model.provider)
        self.evaluators: list[EvaluatorVersion] = run_evaluators(run, in_memory=False)
        self.more_to_score = bool(run_evaluators(run, in_memory=True))
        self.stopped_by: Failure | None = None
        self.over_budget = False

    def work_by_calls(self) -> None:
        size = max(1, self.run.max_concurrency - items_held_by_others(self.run, self.token))
        pool = CallPool(self.connection, self.builder, size)
        try:
            with kept_alive(self.run, self.token) as lost:
                self._call_until_done(pool, lost)
        finally:
            pool.drop()
            items_release(self.token)
        self._end()

    def work_by_batch(self) -> None:
        from apps.providers.local_model import local_engine

        try:
            with kept_alive(self.run, self.token):
                items = items_claim(self.run, status="pending", token=self.token, most=LOCAL_SLICE)
                if items:
                    self._store(answer_batch(items, self.builder, local_engine(self.connection).generate))
        finally:
            items_release(self.token)
        self._end()

    def _call_until_done(self, pool: CallPool, lost: Event) -> None:
        ends, ready, answers = time.monotonic() + SLICE_S, deque[WorkItem](), list[Answer]()
        flushed, exhausted = time.monotonic(), False
        while not lost.is_set() and self.stopped_by is None:
            if time.monotonic() < ends and not exhausted and len(ready) < pool.free:
                claimed = self._claim(pool, len(ready))
                ready.extend(claimed)
                exhausted = not claimed
            while pool.free and ready and time.monotonic() < ends:
                pool.start(ready.popleft())
            if not len(pool):
                break
            answers += pool.finished(FLUSH_EVERY_S)
            if answers and (time.monotonic() - flushed > FLUSH_EVERY_S or not len(pool)):
                self._store(answers)
                answers, flushed = [], time.monotonic()
                if not self._still_running():
                    return
        if answers:
            self._store(answers)

    def _claim(self, pool: CallPool, waiting: int) -> list[WorkItem]:
        """More items to answer, as many as the pool is good for and the budget allows."""
        most, under_way = pool.free + len(pool), len(pool) + waiting
        left = calls_left(self.run, under_way)
        if left is not None and left < most:
            most = left
            self.over_budget = not left and not under_way
        return items_claim(self.run, status="pending", token=self.token, most=most) if most else []

    def _store(self, answers: list[Answer]) -> None:
        answered = [answer for answer in answers if answer.response is not None]
        items = [_with_output(answer) for answer in answered]
        answers_store(
            run=self.run,
            token=self.token,
            answers=answers,
            scores=score_items(self.evaluators, items),
            more_to_score=self.more_to_score,
        )
        for answer in answers:
            if answer.failure is not None and stop_the_run(answer.failure):
                self.stopped_by = answer.failure

    def _still_running(self) -> bool:
        return EvalRun.objects.filter(
            pk=self.run.pk, status="running", driver_token=self.run.driver_token
        ).exists()

    def _end(self) -> None:
        if self.stopped_by is None and self.over_budget:
            eval_run_pause_by_system(run=self.run, reason=spent_words(self.run))
        elif self.stopped_by is None:
            _hand_over(self.run)
        elif pauses_the_run(self.stopped_by):
            eval_run_pause_by_system(run=self.run, reason=self.stopped_by.message)
        else:
            eval_run_fail_rest(run=self.run, kind=self.stopped_by.kind, reason=self.stopped_by.message)


def _with_output(answer: Answer) -> WorkItem:
    return replace(answer.item, output=answer.response.text if answer.response else "")


def _hand_over(run: EvalRun) -> None:
    """After a slice: the next one, the scoring, a wait for the next attempt, or the end."""
    if run.items.filter(status="pending").exists():
        wait = _wait_for_work(run)
        if run_release(run, wait=wait):
            enqueue_drive(run, countdown=wait.total_seconds() if wait else None)
    elif run.items.filter(status="answered").exists():
        if run_release(run):
            enqueue_scoring(run)
    else:
        eval_run_complete(run=run)


def _wait_for_work(run: EvalRun) -> timedelta:
    """How long until an item may be tried: none when one is free now."""
    now = timezone.now()
    pending = run.items.filter(status="pending")
    free = pending.exclude(lease_until__gt=now)
    if free.filter(next_attempt_at=None).exists():
        return timedelta(0)
    times = [
        free.aggregate(Min("next_attempt_at"))["next_attempt_at__min"],
        pending.filter(lease_until__gt=now).aggregate(Min("lease_until"))["lease_until__min"],
    ]
    return max(timedelta(0), min(at for at in times if at is not None) - now) if any(times) else timedelta(0)
