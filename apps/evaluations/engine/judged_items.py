"""An item and what its judges say of it, as the answers to their calls come in. No calls, no database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from apps.evaluations.engine.judges import Judge
from apps.evaluations.engine.work import Answer, Failure, WorkItem, failure_of, gives_up, stop_the_run
from apps.evaluations.evaluators import Outcome, ScoringInput, Unscored
from apps.evaluations.models import EvaluatorVersion
from apps.providers.protocol import CompletionRequest

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Judgement:
    """One judge's view of one item: an outcome, a failure after which it is asked again, or neither yet."""

    version: EvaluatorVersion
    judge: Judge
    item: WorkItem
    seen: ScoringInput
    other_item_id: UUID | None = None
    requests: list[CompletionRequest] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    outcome: Outcome | None = None
    failure: Failure | None = None

    def prepare(self) -> None:
        """Work out what to ask. Where nothing can be asked, that is the outcome."""
        try:
            requests = self.judge.requests(self.seen)
        except Exception as error:
            self.outcome = Unscored(f"The judge's prompt could not be made: {failure_of(error).message}")
            return
        if isinstance(requests, Unscored):
            self.outcome = requests
        else:
            self.requests = requests

    def take(self, answer: Answer) -> None:
        """Note the answer to one of the requests; the last of them settles the judgement."""
        [place] = [place for place, request in enumerate(self.requests) if request is answer.request]
        self.answers[place] = answer
        if len(self.answers) == len(self.requests):
            self._settle()

    def _settle(self) -> None:
        failures = [answer.failure for answer in self.answers.values() if answer.failure is not None]
        lasting = [failure for failure in failures if gives_up(failure, self.item.attempts)]
        stopping = [failure for failure in failures if stop_the_run(failure)]
        if stopping:
            self.failure = stopping[0]
        elif lasting:
            self.outcome = Unscored(f"{self.version.evaluator} gave no answer: {lasting[0].message}")
        elif failures:
            self.failure = max(failures, key=lambda failure: failure.retry_after_s or 0.0)
        else:
            self.outcome = self._read()

    def _read(self) -> Outcome:
        responses = [self.answers[place].response for place in sorted(self.answers)]
        try:
            return self.judge.read(self.seen, [response for response in responses if response is not None])
        except Exception as error:  # a defect in scoring is missing, not zero
            log.exception("Reading an answer of %s failed", self.version)
            return Unscored(f"The answer could not be read: {type(error).__name__}: {error}"[:1000])

    @property
    def settled(self) -> bool:
        return self.outcome is not None or self.failure is not None

    def cost(self) -> Decimal | None:
        """What its calls cost so far, US dollars; None where no call has a price that is known."""
        costs = [
            self.judge.cost(answer.response)
            for answer in self.answers.values()
            if answer.response is not None and not answer.cached
        ]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if known else None

    def tokens(self) -> int:
        """What its calls used so far, input and output together."""
        responses = [answer.response for answer in self.answers.values() if not answer.cached]
        return sum(
            (response.input_tokens or 0) + (response.output_tokens or 0) for response in responses if response
        )


@dataclass(slots=True)
class JudgedItem:
    """An item with those of its judgements that it does not have from an earlier slice."""

    item: WorkItem
    judgements: Sequence[Judgement]

    @property
    def settled(self) -> bool:
        return all(judgement.settled for judgement in self.judgements)

    @property
    def done(self) -> bool:
        return all(judgement.outcome is not None for judgement in self.judgements)

    @property
    def begun(self) -> bool:
        """True when there is something to keep, be it the cost of a call."""
        return any(judgement.outcome is not None or judgement.answers for judgement in self.judgements)

    @property
    def retry(self) -> Failure | None:
        """Why it is tried again later, if it is: what asks for the longest wait."""
        failures = [judgement.failure for judgement in self.judgements if judgement.failure is not None]
        passing = [failure for failure in failures if not stop_the_run(failure)]
        return max(passing, key=lambda failure: failure.retry_after_s or 0.0) if passing else None

    def cost(self) -> Decimal | None:
        known = [cost for judgement in self.judgements if (cost := judgement.cost()) is not None]
        return sum(known, Decimal(0)) if known else None

    def tokens(self) -> int:
        return sum(judgement.tokens() for judgement in self.judgements)
