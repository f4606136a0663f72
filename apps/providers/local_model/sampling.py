"""How the next token of each row in a batch is chosen, and when a row ends.

Each row has its own parameters and its own random numbers, so rows with different parameters share a
batch, and a seed gives the same answer whatever else is in the batch (up to rounding).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria

_SEED_BITS = 63


@dataclass(slots=True)
class Row:
    """One request in a batch. Lengths count tokens; `ended_at` is seconds after the batch began."""

    index: int
    input_ids: list[int]
    max_new: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None
    stop: tuple[str, ...]
    stop_window: int = 0
    ended_at: float | None = None
    generator: torch.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seed = secrets.randbits(_SEED_BITS) if self.seed is None else self.seed % 2**_SEED_BITS
        self.generator = torch.Generator(device="cpu").manual_seed(seed)
        # A stop string of n bytes is at most n tokens; a few more in case it begins within one.
        self.stop_window = max((len(stop.encode()) for stop in self.stop), default=0) + 4


class RowSampler(LogitsProcessor):
    """Turns sampling into an argmax, row by row, by the Gumbel-max trick.

    The argmax of log p + Gumbel noise is distributed as p (Gumbel, 1954; Maddison, Tarlow and Minka,
    "A* Sampling", 2014), so `generate` can run greedily for sampled and greedy rows alike.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._sampled = [number for number, row in enumerate(rows) if row.temperature > 0]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        for number in self._sampled:
            row = self._rows[number]
            if row.ended_at is None:
                scores[number] = self._noisy(scores[number].float() / row.temperature, row).to(scores.dtype)
        return scores

    @staticmethod
    def _noisy(logits: torch.Tensor, row: Row) -> torch.Tensor:
        if row.top_k:
            kept = torch.topk(logits, min(row.top_k, logits.numel())).values[-1]
            logits = logits.masked_fill(logits < kept, -torch.inf)
        if row.top_p < 1:
            ordered, places = torch.sort(logits, descending=True)
            before = torch.softmax(ordered, -1).cumsum(-1).roll(1)
            before[0] = 0  # the most likely token always stays
            logits = logits.masked_fill(
                torch.zeros_like(logits, dtype=torch.bool).scatter(0, places, before >= row.top_p), -torch.inf
            )
        uniform = torch.rand(logits.shape, generator=row.generator).clamp_(min=1e-20)
        return logits - torch.log(-torch.log(uniform)).to(logits.device)


class RowEnds(StoppingCriteria):
    """Ends each row by itself: end of turn, its own token limit, its stop strings, or cancellation."""

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        tokenizer: Any,
        width: int,
        end_ids: frozenset[int],
        cancelled: threading.Event | None,
        on_text: Callable[[int, str], None] | None,
    ) -> None:
        self._rows = rows
        self._tokenizer = tokenizer
        self._width = width
        self._end_ids = end_ids
        self._cancelled = cancelled
        self._on_text = on_text
        self._started = time.perf_counter()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any) -> torch.BoolTensor:
        produced = input_ids.shape[1] - self._width
        newest = input_ids[:, -1].tolist()
        all_over = self._cancelled is not None and self._cancelled.is_set()
        for number, row in enumerate(self._rows):
            if row.ended_at is not None:
                continue
            over = newest[number] in self._end_ids or produced >= row.max_new
            if not over and row.stop:
                over = self._holds_stop(input_ids[number, self._width :][-row.stop_window :].tolist(), row)
            if self._on_text is not None:
                tokens = input_ids[number, self._width :].tolist()
                self._on_text(row.index, self._tokenizer.decode(tokens, skip_special_tokens=True))
            if over or all_over:
                row.ended_at = time.perf_counter() - self._started
        ended = [row.ended_at is not None for row in self._rows]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)  # type: ignore[return-value]

    def _holds_stop(self, tail: list[int], row: Row) -> bool:
        text = self._tokenizer.decode(tail, skip_special_tokens=True)
        return any(stop in text for stop in row.stop)
