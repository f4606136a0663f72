"""Answers in batches, from a function that takes a list of requests: the model in this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from apps.evaluations.engine.calls import Call
from apps.evaluations.engine.work import Answer, failure_of
from apps.providers.protocol import CompletionRequest, ProviderError

#: Rows of one batch on the local model, and those claimed at once so that a batch has rows of like length.
LOCAL_BATCH, LOCAL_CLAIM = 16, 64
WorkT = TypeVar("WorkT")


def like_lengths(
    work: Sequence[WorkT], most: int, *, of: Callable[[WorkT], CompletionRequest]
) -> Iterator[list[WorkT]]:
    """Batches of at most `most` requests of like length, longest first; `of` gives the request in a piece of
    work. So none is padded for long."""

    def length(piece: WorkT) -> int:
        return sum(len(message.content) for message in of(piece).messages)

    ordered = sorted(work, key=length, reverse=True)
    for start in range(0, len(ordered), most):
        yield ordered[start : start + most]


def answer_batch(calls: Sequence[Call], generate: Callable[..., Sequence[object]]) -> list[Answer]:
    """Answer calls in one go; what `generate` raises is the failure of all of them."""
    started = timezone.now()
    if not calls:
        return []
    try:
        outcomes = generate([call.request for call in calls])
    except Exception as error:
        return [Answer(call.item, started, call.request, failure=failure_of(error)) for call in calls]
    return [_answer(call, started, outcome) for call, outcome in zip(calls, outcomes, strict=True)]


def _answer(call: Call, started: datetime, outcome: object) -> Answer:
    if isinstance(outcome, ProviderError):
        return Answer(call.item, started, call.request, failure=failure_of(outcome))
    return Answer(call.item, started, call.request, response=outcome)  # type: ignore[arg-type]
