"""One slice of answering by calls: claim, render, call, score, store, all at the same time.

The slice's thread talks to the database and the limiter; the calls run on the process's loop (see `calls`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from uuid import UUID, uuid4

from django.utils import timezone

from apps.core.dispatch import others_wait
from apps.evaluations.engine.budget import calls_left
from apps.evaluations.engine.calls import Call, CallPool
from apps.evaluations.engine.leases import items_claim, items_release, turn_lasts
from apps.evaluations.engine.requests import RequestBuilder
from apps.evaluations.engine.response_cache import cache_key, keep, lookup
from apps.evaluations.engine.results import answers_store
from apps.evaluations.engine.scoring import score_items
from apps.evaluations.engine.stages import Stage, evaluators_by_stage, stage_after
from apps.evaluations.engine.steering import Steering
from apps.evaluations.engine.work import Answer, Failure, WorkItem, failure_of, stop_the_run
from apps.evaluations.models import EvalRun
from apps.providers.services import provider_connection

#: After so long a slice ends, unless nobody waits for its place.
SLICE_S = 5.0
#: How often the slice looks at its calls, and how often it writes.
TICK_S = 0.1
STORE_EVERY_S = 0.5
#: Rows claimed and rendered ahead of the calls under way, so that a call never waits for the database.
AHEAD = 128


class ItemAnswers:
    """Turning a run's claimed items into calls, and answers into stored rows."""

    def __init__(self, run: EvalRun, token: UUID) -> None:
        if run.model is None:
            raise ValueError(f"Run {run.pk} records outputs made elsewhere; there is nothing to call.")
        self.run = run
        self.token = token
        self._builder = RequestBuilder(run)
        self._evaluators = evaluators_by_stage(run)
        self.connection = provider_connection(run.model.provider)
        self._next_stage = stage_after(Stage.INLINE, list(self._evaluators))
        #: Under which key the answer of an item is kept, in a run that uses the cache.
        self._keys: dict[UUID, bytes] = {}
        self.stopped_by: Failure | None = None

    def calls_of(self, items: Sequence[WorkItem]) -> tuple[list[Call], list[Answer]]:
        """The items' calls; and answers for those that need none: what cannot be rendered, what is cached."""
        calls, answers = list[Call](), list[Answer]()
        for item in items:
            try:
                calls.append(Call(item, self._builder.build(item)))
            except Exception as error:
                answers.append(Answer(item, timezone.now(), failure=failure_of(error)))
        if self.run.use_cache:
            calls, known = self._from_cache(calls)
            answers += known
        return calls, answers

    def _from_cache(self, calls: Sequence[Call]) -> tuple[list[Call], list[Answer]]:
        keys = {
            call.item.id: cache_key(call.request, self.connection, call.item.repetition) for call in calls
        }
        known = lookup(self.run.project_id, list(keys.values()))
        unknown = [call for call in calls if keys[call.item.id] not in known]
        self._keys |= {call.item.id: keys[call.item.id] for call in unknown}
        now = timezone.now()
        return unknown, [
            Answer(call.item, now, call.request, response=known[keys[call.item.id]], cached=True)
            for call in calls
            if keys[call.item.id] in known
        ]

    def store(self, answers: Sequence[Answer]) -> None:
        """Score what can be scored at once, and write it all."""
        answered = [_with_answer(answer) for answer in answers if answer.response is not None]
        answers_store(
            run=self.run,
            token=self.token,
            answers=answers,
            scores=score_items(self._evaluators.get(Stage.INLINE, []), answered),
            next_stage=self._next_stage,
        )
        self._keep(answers)
        for answer in answers:
            if answer.failure is not None and stop_the_run(answer.failure):
                self.stopped_by = answer.failure

    def _keep(self, answers: Sequence[Answer]) -> None:
        rows = [
            (self._keys.pop(answer.item.id), answer.response)
            for answer in answers
            if answer.response is not None and answer.item.id in self._keys
        ]
        if rows:
            keep(self.run.project_id, rows)


class AnsweringSlice:
    """A turn at a run, or an assistant's share of another's turn."""

    def __init__(self, run: EvalRun) -> None:
        self.run = run
        self.token = uuid4()
        self.items = ItemAnswers(run, self.token)
        self.pool = CallPool(self.items.connection)
        self.steering = Steering(
            self.pool, self.items.connection, group=str(run.pk), most=run.max_concurrency
        )
        self.over_budget = False
        #: Seconds until the provider's limits per minute let another call start.
        self.wait_s = 0.0
        self._unstored: list[Answer] = []
        self._claim_again_at = 0.0

    def work(
        self,
        lost: Event,
        *,
        while_open: Callable[[], bool] = lambda: True,
        each_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on until the time is up, nothing is left to claim, or the run was taken away (`lost`).

        `while_open` is asked whether a slice that nobody waits for may go on; `each_turn` is called often.
        """
        try:
            self._work(lost, while_open, each_turn)
        finally:
            self.pool.drop()
            self.steering.leave()
            items_release(self.token)

    def _work(self, lost: Event, while_open: Callable[[], bool], each_turn: Callable[[], None]) -> None:
        ends, stored_at = time.monotonic() + SLICE_S, time.monotonic()
        claimable = True
        while not lost.is_set() and self.items.stopped_by is None:
            if time.monotonic() >= ends:
                ends += SLICE_S if while_open() and not others_wait(self.run.queue) else 0.0
            is_open = time.monotonic() < ends
            if not is_open:
                self.pool.forget_waiting()
            elif claimable or time.monotonic() >= self._claim_again_at:
                claimable = self._top_up()
            each_turn()
            self.wait_s = self.steering.steer()
            answers = self.pool.collect(TICK_S)
            self.steering.note(answers)
            self._unstored += answers
            if self._unstored and (time.monotonic() - stored_at >= STORE_EVERY_S or self.pool.idle):
                self.items.store(self._unstored)
                self._unstored, stored_at = [], time.monotonic()
                if not turn_lasts(self.run):
                    return
            if self._finished(claimable, is_open):
                return
        if self._unstored:
            self.items.store(self._unstored)
            self._unstored = []

    def _finished(self, claimable: bool, is_open: bool) -> bool:
        if self._unstored or self.pool.in_flight:
            return False
        if self.pool.waiting:  # only the limits per minute hold them: others may use this thread meanwhile
            return self.wait_s > TICK_S * 4
        return self.pool.idle and not (claimable and is_open)

    def _top_up(self) -> bool:
        """Claim and render more items where few wait; False when there were none to claim."""
        ahead = max(AHEAD, self.run.max_concurrency)
        if self.pool.waiting > ahead // 2:
            return True
        most = ahead
        under_way = self.pool.waiting + self.pool.in_flight + len(self._unstored)
        left = calls_left(self.run, under_way)
        if left is not None and left < most:
            most = left
            self.over_budget = not left and not under_way and self._more_to_answer()
        items = items_claim(self.run, status="pending", token=self.token, most=most) if most else []
        if not items:
            self._claim_again_at = time.monotonic() + STORE_EVERY_S
            return False
        calls, answers = self.items.calls_of(items)
        self._unstored += answers
        self.pool.feed(calls)
        return True

    def _more_to_answer(self) -> bool:
        return self.run.items.filter(status="pending").exists()


def _with_answer(answer: Answer) -> WorkItem:
    response = answer.response
    assert response is not None
    return replace(
        answer.item,
        output=response.text,
        tool_calls=tuple(
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in response.tool_calls
        ),
        finish_reason=response.finish_reason,
        latency_ms=None if answer.cached else response.duration_s * 1000,
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
    )
