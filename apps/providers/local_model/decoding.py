"""A batch of rows through the model: what the rows begin with in common once, then token by token.

Rows are padded on the left. A row that has ended leaves the batch, so that the others do not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import DynamicCache

from apps.providers.local_model.sampling import Row, RowEnds, next_tokens

#: A shorter common beginning is not worth a pass of its own.
_WORTH_SHARING = 8


class HasIds(Protocol):
    @property
    def input_ids(self) -> list[int]: ...


def common_beginning(rows: Sequence[HasIds]) -> int:
    """How many tokens all rows begin with alike; each keeps at least one of its own. 0 for a row alone."""
    if len(rows) < 2:
        return 0
    first, last = min(row.input_ids for row in rows), max(row.input_ids for row in rows)
    most = min(len(row.input_ids) for row in rows) - 1
    # Of lists in order, what the first and the last begin with alike, those between do too.
    alike = next((place for place in range(most) if first[place] != last[place]), most)
    return alike if alike >= _WORTH_SHARING else 0


def decode(model: Any, rows: Sequence[Row], ends: RowEnds, *, pad: int) -> list[list[int]]:
    """The new token ids of each row, its end-of-turn token included, until `ends` says that it is over.

    `model` is a causal language model of transformers, which takes a DynamicCache.
    """
    batch = _Batch(model, rows, pad)
    produced: list[list[int]] = [[] for _ in rows]
    while True:
        tokens = next_tokens(batch.scores, [rows[number] for number in batch.numbers])
        for number, token in zip(batch.numbers, tokens, strict=True):
            produced[number].append(token)
        stay = [
            place
            for place, number in enumerate(batch.numbers)
            if not ends.over(rows[number], produced[number])
        ]
        if not stay:
            return produced
        if len(stay) < len(batch.numbers):
            batch.keep(stay)
        batch.step([tokens[place] for place in stay])


class _Batch:
    """The rows that have not ended: their numbers, attention memory, and the scores of each one's next token.

    `scores` is float32, (rows, vocabulary).
    """

    def __init__(self, model: Any, rows: Sequence[Row], pad: int) -> None:
        self._model = model
        self.numbers = list(range(len(rows)))
        self._cache = DynamicCache(config=model.config)
        shared = common_beginning(rows)
        if shared:
            beginning = self._tensor([rows[0].input_ids[:shared]])
            model.base_model(input_ids=beginning, past_key_values=self._cache, use_cache=True)
            self._cache.batch_repeat_interleave(len(rows))
        own = [row.input_ids[shared:] for row in rows]
        width = max(map(len, own))
        ids = [[pad] * (width - len(row)) + row for row in own]
        self._mask = self._tensor([[1] * shared + [0] * (width - len(row)) + [1] * len(row) for row in own])
        positions = (self._mask.cumsum(-1) - 1).clamp_(min=0)
        self._forward(self._tensor(ids), positions[:, shared:])
        self._next = positions[:, -1:] + 1

    def keep(self, places: list[int]) -> None:
        """Drop the rows at all other places."""
        chosen = self._tensor(places)
        self.numbers = [self.numbers[place] for place in places]
        self._cache.batch_select_indices(chosen)
        self._mask, self._next = self._mask[chosen], self._next[chosen]

    def step(self, tokens: list[int]) -> None:
        """Read one token of each row."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        self._forward(self._tensor([[token] for token in tokens]), self._next)
        self._next = self._next + 1

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> None:
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.scores = output.logits[:, -1].float()

    def _tensor(self, values: Any) -> torch.Tensor:
        return torch.tensor(values, device=self._model.device)
