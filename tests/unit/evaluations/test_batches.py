"""Which requests share a batch."""

from __future__ import annotations

from apps.evaluations.engine.batches import like_lengths
from apps.providers.protocol import CompletionRequest, Message, Parameters


def request(length: int) -> CompletionRequest:
    halves = (Message("system", "s" * (length // 2)), Message("user", "u" * (length - length // 2)))
    return CompletionRequest("m", halves, Parameters("l/m"))


def test_batches_hold_requests_of_like_length_the_longest_first() -> None:
    lengths = [3, 50, 7, 41, 5, 48, 1]
    batches = like_lengths([request(length) for length in lengths], 3, of=lambda one: one)
    sizes = [[sum(len(message.content) for message in one.messages) for one in batch] for batch in batches]
    assert sizes == [[50, 48, 41], [7, 5, 3], [1]]


def test_no_work_is_no_batch() -> None:
    assert list(like_lengths([], 16, of=lambda one: one)) == []
