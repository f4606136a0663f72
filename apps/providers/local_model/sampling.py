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


def next_tokens(scores: torch.Tensor, rows: Sequence[Row]) -> list[int]:
    """The next token of each row, from scores of shape (rows, vocabulary), which are written over.

    Sampling is an argmax too, by the Gumbel-max trick: the argmax of log p + Gumbel noise is distributed as
    p (Gumbel, 1954; Maddison, Tarlow and Minka, "A* Sampling", 2014). So greedy and sampled rows go together.
    """
    for place, row in enumerate(rows):
        if row.temperature > 0:
            scores[place] = _noisy(scores[place] / row.temperature, row)
    tokens: list[int] = scores.argmax(dim=-1).tolist()
    return tokens


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


class RowEnds:
    """Ends each row by itself: end of turn, its token limit or stop strings, or as it or all are stopped."""

    def __init__(
        self,
        *,
        tokenizer: Any,
        end_ids: frozenset[int],
        cancelled: threading.Event | None,
        on_text: Callable[[int, str], None] | None,
        on_end: Callable[[Row, list[int]], None] | None = None,
        stopped: Callable[[int], bool] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._end_ids = end_ids
        self._cancelled = cancelled
        self._on_text = on_text
        self._on_end = on_end
        self._stopped = stopped
        self._started = time.perf_counter()

    def over(self, row: Row, tokens: list[int]) -> bool:
        """True when the row's answer ends with its newest token; noted in `row.ended_at`."""
        ended = tokens[-1] in self._end_ids or len(tokens) >= row.max_new
        if not ended and row.stop:
            tail = self._tokenizer.decode(tokens[-row.stop_window :], skip_special_tokens=True)
            ended = any(stop in tail for stop in row.stop)
        if self._on_text is not None:
            self._on_text(row.index, self._tokenizer.decode(tokens, skip_special_tokens=True))
        if not ended:
            ended = self._broken_off(row)
        if ended:
            row.ended_at = time.perf_counter() - self._started
            if self._on_end is not None:
                self._on_end(row, tokens)
        return ended

    def _broken_off(self, row: Row) -> bool:
        cancelled = self._cancelled is not None and self._cancelled.is_set()
        return cancelled or (self._stopped is not None and self._stopped(row.index))
