"""One slice of scoring by calls: claim what is answered, ask its judges, store, all at the same time.

As in answering, the slice's thread talks to the database and the limiter; calls run on the process's loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from uuid import UUID, uuid4

from django.utils import timezone

from apps.core.dispatch import others_wait
from apps.evaluations.engine.batches import answer_batch, like_lengths
from apps.evaluations.engine.calls import Call, CallPool
from apps.evaluations.engine.judge_budget import judged_items_left
from apps.evaluations.engine.judged_items import JudgedItem, Judgement
from apps.evaluations.engine.judged_results import judged_store
from apps.evaluations.engine.judges import Judge, JudgeUnavailable, compared, judge_for, other_outputs
from apps.evaluations.engine.leases import items_claim, items_release, turn_lasts
from apps.evaluations.engine.response_cache import cache_key, keep, lookup
from apps.evaluations.engine.scoring import scoring_input
from apps.evaluations.engine.stages import Stage, evaluators_by_stage, stage_after
from apps.evaluations.engine.steering import Steering
from apps.evaluations.engine.work import Answer, Failure, WorkItem, stop_the_run
from apps.evaluations.evaluators import kind
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore
from apps.providers.connection import ProviderConnection
from apps.providers.webhooks import WEBHOOK

#: As in answering: how long a slice is, how often it looks, how often it writes, how far it claims ahead.
SLICE_S = 5.0
TICK_S = 0.05
STORE_EVERY_S = 0.25
AHEAD = 64


class Judging:
    """A run's judges of one stage: what they are asked of claimed items, and keeping what they say."""

    def __init__(self, run: EvalRun, stage: Stage, token: UUID) -> None:
        self.run, self.stage, self.token = run, stage, token
        by_stage = evaluators_by_stage(run)
        self.versions = by_stage.get(stage, [])
        self._next_stage = stage_after(stage, list(by_stage))
        self._judges: dict[EvaluatorVersion, Judge] = {}
        self._open: dict[UUID, JudgedItem] = {}
        self._asked: dict[int, Judgement] = {}
        self.stopped_by: str = ""
        for version in self.versions:
            try:
                self._judges[version] = _judge(run, version)
            except JudgeUnavailable as error:
                self.stopped_by = f"{version.evaluator.name} cannot judge: {error}"

    @property
    def under_way(self) -> int:
        """Items that are claimed and not stored."""
        return len(self._open)

    def begin(self, items: Sequence[WorkItem]) -> list[tuple[ProviderConnection, Call]]:
        """The calls that `items` need now, with where each goes."""
        scored = set(
            ItemScore.objects.filter(
                item__in=[item.id for item in items], evaluator_version__in=self.versions
            ).values_list("item_id", "evaluator_version_id")
        )
        judgements: list[Judgement] = []
        for version, judge in self._judges.items():
            judgements += self._judgements(
                version, judge, [item for item in items if (item.id, version.pk) not in scored]
            )
        for item in items:
            mine = [judgement for judgement in judgements if judgement.item is item]
            self._open[item.id] = JudgedItem(item, mine)
        return self._calls(judgements)

    def _judgements(
        self, version: EvaluatorVersion, judge: Judge, items: Sequence[WorkItem]
    ) -> list[Judgement]:
        by_calls = kind(version.evaluator.kind).by_calls
        if by_calls is None or not by_calls.votes:
            return [Judgement(version, judge, item, scoring_input(item)) for item in items]
        others = other_outputs(self.run, version.config, items)
        return [
            Judgement(version, judge, item, compared(item, other), other[1] if other else None)
            for item in items
            for other in [others.get(item.id)]
        ]

    def _calls(self, judgements: Sequence[Judgement]) -> list[tuple[ProviderConnection, Call]]:
        calls: list[tuple[ProviderConnection, Call]] = []
        for judgement in judgements:
            judgement.prepare()
            for request in judgement.requests:
                self._asked[id(request)] = judgement
                calls.append((judgement.judge.connection, Call(judgement.item, request)))
        if not self.run.use_cache:
            return calls
        keys = {id(call.request): _key(connection, call) for connection, call in calls}
        known = lookup(self.run.project_id, [key for key in keys.values() if key])
        missing = []
        for connection, call in calls:
            response = known.get(keys[id(call.request)] or b"")
            if response is None:
                missing.append((connection, call))
            else:
                self.take([Answer(call.item, timezone.now(), call.request, response=response, cached=True)])
        return missing

    def take(self, answers: Sequence[Answer]) -> None:
        """Note answers to calls that `begin` gave."""
        for answer in answers:
            judgement = self._asked.pop(id(answer.request))
            judgement.take(answer)
            if answer.failure is not None and stop_the_run(answer.failure):
                self.stopped_by = _stopped_words(judgement, answer.failure)

    def store(self, *, all_of_them: bool = False) -> int:
        """Write the items that are settled; with `all_of_them` also what there is of the others."""
        settled = [item for item in self._open.values() if item.settled or (all_of_them and item.begun)]
        if not settled:
            return 0
        if self.run.use_cache:
            self._keep(settled)
        judged_store(
            run=self.run, token=self.token, items=settled, stage=self.stage, next_stage=self._next_stage
        )
        for item in settled:
            del self._open[item.item.id]
            for judgement in item.judgements:
                for request in judgement.requests:
                    self._asked.pop(id(request), None)
        return len(settled)

    def _keep(self, items: Sequence[JudgedItem]) -> None:
        fresh = [
            (_key(judgement.judge.connection, Call(item.item, answer.request)), answer.response)
            for item in items
            for judgement in item.judgements
            for answer in judgement.answers.values()
            if answer.response is not None and answer.request is not None and not answer.cached
        ]
        keep(self.run.project_id, [(key, response) for key, response in fresh if key])


def _judge(run: EvalRun, version: EvaluatorVersion) -> Judge:
    return judge_for(
        project=run.project,
        kind_name=version.evaluator.kind,
        config=version.config,
        evaluator=version.evaluator,
    )


def _key(connection: ProviderConnection, call: Call) -> bytes | None:
    """The cache's key for a call; None for what is never kept."""
    if connection.kind == WEBHOOK:
        return None
    return cache_key(call.request, connection, call.item.repetition)


def _stopped_words(judgement: Judgement, failure: Failure) -> str:
    name = judgement.version.evaluator.name
    return f"{name} cannot judge: {failure.message} Mend it and resume: scoring goes on."


class JudgingSlice:
    """A turn at scoring a run by calls to endpoints, several providers at once."""

    def __init__(self, run: EvalRun, stage: Stage) -> None:
        self.run, self.stage, self.token = run, stage, uuid4()
        self.judging = Judging(run, stage, self.token)
        self.over_budget = False
        #: Seconds until the providers' limits per minute let another call start.
        self.wait_s = 0.0
        self._pools: dict[ProviderConnection, tuple[CallPool, Steering]] = {}
        self._claim_again_at = 0.0

    def work(self, lost: Event) -> None:
        """Go on until the time is up, nothing is left to claim, or the run was taken away (`lost`)."""
        try:
            self._work(lost)
            self.judging.store(all_of_them=True)
        finally:
            for pool, steering in self._pools.values():
                pool.drop()
                steering.leave()
            items_release(self.token)

    def _work(self, lost: Event) -> None:
        ends, stored_at, claimable = time.monotonic() + SLICE_S, time.monotonic(), True
        while not lost.is_set() and not self.judging.stopped_by:
            if time.monotonic() >= ends and not others_wait(self.stage.queue):
                ends += SLICE_S
            is_open = time.monotonic() < ends
            if not is_open:
                for pool, _ in self._pools.values():
                    pool.forget_waiting()
            elif claimable or time.monotonic() >= self._claim_again_at:
                claimable = self._top_up()
            self._collect()
            if time.monotonic() - stored_at >= STORE_EVERY_S or self._idle:
                stored_at = time.monotonic()
                if self.judging.store() and not turn_lasts(self.run):
                    return
            if self._finished(claimable, is_open):
                return

    def _collect(self) -> None:
        pools = list(self._pools.values())
        self.wait_s = min((steering.steer() for _, steering in pools), default=0.0)
        patience = TICK_S
        for pool, steering in pools:
            answers = pool.collect(patience)
            steering.note(answers)
            self.judging.take(answers)
            patience = 0.0

    @property
    def _idle(self) -> bool:
        return all(pool.idle for pool, _ in self._pools.values())

    def _finished(self, claimable: bool, is_open: bool) -> bool:
        pools = [pool for pool, _ in self._pools.values()]
        if any(pool.in_flight for pool in pools):
            return False
        if any(pool.waiting for pool in pools):  # only the limits per minute hold them
            return self.wait_s > TICK_S * 4
        return self._idle and not (claimable and is_open)

    def _top_up(self) -> bool:
        """Claim more items where few calls wait; False when there were none to claim."""
        if sum(pool.waiting for pool, _ in self._pools.values()) > AHEAD // 2:
            return True
        most, left = AHEAD, judged_items_left(self.run, self.judging.versions, self.judging.under_way)
        if left is not None and left < most:
            most = left
            self.over_budget = not left and not self.judging.under_way and self._more_to_judge()
        items = self._claim(most) if most else []
        if not items:
            self._claim_again_at = time.monotonic() + STORE_EVERY_S
            return False
        for connection, call in self.judging.begin(items):
            self._pool(connection).feed([call])
        return True

    def _claim(self, most: int) -> list[WorkItem]:
        return items_claim(self.run, status="answered", stage=self.stage, token=self.token, most=most)

    def _more_to_judge(self) -> bool:
        return self.run.items.filter(status="answered", stage=self.stage).exists()

    def _pool(self, connection: ProviderConnection) -> CallPool:
        if connection not in self._pools:
            pool, most = CallPool(connection), connection.max_concurrency
            if self.run.model is not None and str(self.run.model.provider_id) == connection.provider_id:
                most = min(most, self.run.max_concurrency)
            steering = Steering(pool, connection, group=str(self.run.pk), most=most)
            self._pools[connection] = pool, steering
        return self._pools[connection][0]


def judge_locally(run: EvalRun, judging: Judging, lost: Event, *, claim: int, batch: int) -> None:
    """A turn at scoring a run by the model in this process's memory: batches, until somebody else waits."""
    from apps.providers.local_model import local_engine

    items = items_claim(run, status="answered", stage=judging.stage, token=judging.token, most=claim)
    calls = judging.begin(items)
    for taken in _of_one_model(calls, batch):
        generate: Callable[..., Sequence[object]] = local_engine(taken[0][0]).generate
        judging.take(answer_batch([call for _, call in taken], generate))
        judging.store()
        if lost.is_set() or judging.stopped_by or others_wait(judging.stage.queue):
            break
    judging.store(all_of_them=True)


def _of_one_model(
    calls: Sequence[tuple[ProviderConnection, Call]], most: int
) -> Iterator[list[tuple[ProviderConnection, Call]]]:
    """Batches of like lengths, each for one model of one provider: judges may ask several."""
    models: dict[tuple[str, str], list[tuple[ProviderConnection, Call]]] = {}
    for connection, call in calls:
        models.setdefault((connection.provider_id, call.request.model), []).append((connection, call))
    for asked in models.values():
        yield from like_lengths(asked, most, of=lambda call: call[1].request)
