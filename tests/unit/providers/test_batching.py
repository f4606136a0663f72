"""Which rows share a batch on the embedded model."""

from __future__ import annotations

from dataclasses import dataclass

from apps.providers.local_model.batching import BatchLimits, batches


@dataclass(frozen=True)
class Sized:
    input_ids: list[int]
    max_new: int


def _row(length: int, new: int = 10) -> Sized:
    return Sized([1] * length, new)


def _lengths(rows: list[Sized], limits: BatchLimits) -> list[list[int]]:
    return [[len(row.input_ids) for row in batch] for batch in batches(rows, limits)]


def test_nothing_makes_no_batch() -> None:
    assert _lengths([], BatchLimits(8, 1000)) == []


def test_rows_of_like_length_go_together_longest_first() -> None:
    rows = [_row(5), _row(50), _row(6), _row(40)]
    assert _lengths(rows, BatchLimits(2, 1000)) == [[50, 40], [6, 5]]


def test_the_token_budget_counts_padding_and_answers() -> None:
    rows = [_row(90), _row(10), _row(10)]
    assert _lengths(rows, BatchLimits(8, 200)) == [[90, 10], [10]]  # 3 x (90 + 10) would be 300


def test_a_row_beyond_the_budget_gets_a_batch_of_its_own() -> None:
    assert _lengths([_row(500), _row(5)], BatchLimits(8, 200)) == [[500], [5]]
