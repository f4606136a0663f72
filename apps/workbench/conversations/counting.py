"""How much of a context window messages take. Plain Python.

What a provider reported is exact; everything else is an estimate, which follows what it reported last.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
#: English text has about four characters a token, other scripts about one; a message's frame takes some more.
CHARACTERS_A_TOKEN = 4
TOKENS_A_MESSAGE = 4
#: A report far from the estimate is of something else: images, a hidden instruction.
LEAST_SCALE, MOST_SCALE = 0.1, 4.0


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts tokens of messages; `scale` is how many the model counts where we estimate one."""

    scale: float = 1.0

    def of(self, message: Message) -> int:
        return math.ceil(_estimate(message) * self.scale)

    def of_all(self, messages: Iterable[Message]) -> int:
        return sum(map(self.of, messages))


def counter_from(sent: Sequence[Message], reported: int | None) -> Counter:
    """A counter that agrees with what the provider counted for the messages it was `sent` last."""
    estimated = sum(map(_estimate, sent))
    if not reported or not estimated:
        return Counter()
    return Counter(min(MOST_SCALE, max(LEAST_SCALE, reported / estimated)))


def _estimate(message: Message) -> float:
    text = str(message.get("content") or "")
    if message.get("tool_calls"):
        text += json.dumps(message["tool_calls"], ensure_ascii=False)
    latin = sum(1 for character in text if character < "\u0250")
    return latin / CHARACTERS_A_TOKEN + (len(text) - latin) + TOKENS_A_MESSAGE
