"""Which requests share a batch. Plain Python over lengths; every length counts tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Sized(Protocol):
    @property
    def input_ids(self) -> list[int]: ...
    @property
    def max_new(self) -> int: ...


RowT = TypeVar("RowT", bound=Sized)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """At most `rows` rows, and at most `tokens` tokens of attention memory, padding included.

    A row longer than `tokens` still gets a batch of its own.
    """

    rows: int
    tokens: int


def batches(rows: Iterable[RowT], limits: BatchLimits) -> Iterator[list[RowT]]:
    """Rows of like length together, longest first: what does not fit in memory shows at once."""
    batch: list[RowT] = []
    width = answer = 0
    for row in sorted(rows, key=lambda row: (len(row.input_ids), row.max_new), reverse=True):
        new_width, new_answer = max(width, len(row.input_ids)), max(answer, row.max_new)
        if batch and (
            len(batch) >= limits.rows or (len(batch) + 1) * (new_width + new_answer) > limits.tokens
        ):
            yield batch
            batch, new_width, new_answer = [], len(row.input_ids), row.max_new
        batch.append(row)
        width, answer = new_width, new_answer
    if batch:
        yield batch
