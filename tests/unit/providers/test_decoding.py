"""What a batch shares, with the tiniest of models: no file is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from apps.providers.local_model.decoding import common_beginning, decode
from apps.providers.local_model.sampling import Row, RowEnds

BEGINNING = list(range(3, 15))
PAD, END = 0, 1


@dataclass
class Ids:
    input_ids: list[int]


def shared(*rows: list[int]) -> int:
    return common_beginning([Ids(row) for row in rows])


def test_the_common_beginning_is_what_all_rows_begin_with() -> None:
    assert shared([*BEGINNING, 1, 2], [*BEGINNING, 2], [*BEGINNING, 1, 3]) == len(BEGINNING)


def test_each_row_keeps_a_token_of_its_own() -> None:
    assert shared([*BEGINNING], [*BEGINNING, 2]) == len(BEGINNING) - 1
    assert shared([*BEGINNING], [*BEGINNING]) == len(BEGINNING) - 1


def test_a_row_alone_or_a_short_beginning_shares_nothing() -> None:
    assert shared([*BEGINNING]) == 0
    assert shared([5, 6, 7, 1], [5, 6, 7, 2]) == 0
    assert shared([*BEGINNING], [9]) == 0


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(4)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return LlamaForCausalLM(config).eval()


def row(index: int, ids: list[int], most: int) -> Row:
    return Row(index, ids, most, temperature=0.0, top_p=1.0, top_k=0, seed=None, stop=())


def decoded(model: Any, rows: list[Row]) -> list[list[int]]:
    ends = RowEnds(tokenizer=None, end_ids=frozenset({END}), cancelled=None, on_text=None)
    with torch.inference_mode():
        return decode(model, rows, ends, pad=PAD)


def plain(model: Any, ids: list[int], most: int) -> list[int]:
    """Greedy decoding without memory, padding or company: the definition."""
    new: list[int] = []
    with torch.inference_mode():
        while len(new) < most and (not new or new[-1] != END):
            new.append(int(model(input_ids=torch.tensor([ids + new])).logits[0, -1].argmax()))
    return new


@pytest.mark.parametrize("beginning", [[], BEGINNING], ids=["nothing in common", "a common beginning"])
def test_rows_of_different_length_are_answered_as_each_alone(model: Any, beginning: list[int]) -> None:
    chance = torch.Generator().manual_seed(9)
    wanted = [
        (beginning + torch.randint(2, 64, (length,), generator=chance).tolist(), most)
        for length, most in ((1, 9), (12, 3), (5, 20), (30, 1), (2, 14))
    ]
    rows = [row(number, ids, most) for number, (ids, most) in enumerate(wanted)]
    assert decoded(model, rows) == [plain(model, ids, most) for ids, most in wanted]
    assert all(one.ended_at is not None for one in rows)
