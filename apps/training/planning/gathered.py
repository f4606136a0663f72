"""What only all rows together show: counts, lengths, duplicates, contradictions. Plain Python, row by row.

Kept of each row: a few digests of 16 bytes and its lengths, so that hundreds of thousands of rows fit.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.feedback.training_sets.conversations import normalised, prompt_hash, question_hash
from apps.training.planning.shown import Measured
from apps.training.splits import TRAIN, VALIDATION

QUANTILES = 101
_GOOD, _BAD = 1, 2


@dataclass(slots=True)
class Gathered:
    """`rows` by split; `problems`: rows that cannot be used, by why. Digests are of normalised texts."""

    rows: dict[str, int] = field(default_factory=lambda: {TRAIN: 0, VALIDATION: 0})
    problems: dict[str, int] = field(default_factory=dict)
    good: int = 0
    bad: int = 0
    truncated: int = 0
    nothing_left: int = 0
    same_pair: int = 0
    train_tokens: int = 0
    trained_tokens: int = 0
    longest: int = 0
    lengths: array[int] = field(default_factory=lambda: array("l"))
    seen: dict[bytes, int] = field(default_factory=dict)
    said: dict[bytes, int] = field(default_factory=dict)
    pairs: set[bytes] = field(default_factory=set)
    turned: int = 0
    answers: dict[bytes, set[bytes]] = field(default_factory=dict)
    questions: set[str] = field(default_factory=set)
    prompts: dict[str, int] = field(default_factory=dict)

    def problem(self, why: str) -> None:
        self.problems[why] = self.problems.get(why, 0) + 1

    def add(self, split: str, columns: Mapping[str, Any], sides: Sequence[Measured]) -> None:
        self.rows[split] += 1
        asked = prompt_hash(columns["prompt"])
        self.prompts[asked] = self.prompts.get(asked, 0) | (1 if split == TRAIN else 2)
        if split != TRAIN:
            return
        self._lengths(sides)
        self.questions.add(question_hash(columns["prompt"]))
        self._compare(asked, columns)

    def _lengths(self, sides: Sequence[Measured]) -> None:
        self.lengths.append(max(side.tokens for side in sides))
        self.longest = max(self.longest, self.lengths[-1])
        self.truncated += any(side.cut_at < len(side.side.text) for side in sides)
        self.nothing_left += any(side.trains_nothing for side in sides)
        self.train_tokens += sum(side.tokens for side in sides)
        self.trained_tokens += sum(side.tokens - side.prompt_tokens for side in sides)

    def _compare(self, asked: str, columns: Mapping[str, Any]) -> None:
        texts = {
            name: _text(columns[name]) for name in ("completion", "chosen", "rejected") if name in columns
        }
        row = _digest(asked, *texts.values(), columns.get("label"))
        self.seen[row] = self.seen.get(row, 0) + 1
        if "chosen" in texts:
            self._pair(asked, texts["chosen"], texts["rejected"])
        elif "label" in columns:
            label = bool(columns["label"])
            self.good, self.bad = self.good + label, self.bad + (not label)
            judged = _digest(asked, texts["completion"])
            self.said[judged] = self.said.get(judged, 0) | (_GOOD if label else _BAD)
        else:
            self.answers.setdefault(_digest(asked), set()).add(_digest(texts["completion"]))

    def _pair(self, asked: str, chosen: str, rejected: str) -> None:
        self.same_pair += chosen == rejected
        self.turned += _digest(asked, rejected, chosen) in self.pairs
        self.pairs.add(_digest(asked, chosen, rejected))

    def counts(self) -> dict[str, Any]:
        """As the checks keep it."""
        return {
            "rows": self.rows,
            "unusable": dict(sorted(self.problems.items(), key=lambda each: -each[1])[:10]),
            "good": self.good,
            "bad": self.bad,
            "duplicates": sum(n - 1 for n in self.seen.values()),
            "contradictions": self.turned + sum(said == _GOOD | _BAD for said in self.said.values()),
            "same_pair": self.same_pair,
            "several_answers": sum(len(found) > 1 for found in self.answers.values()),
            "truncated": self.truncated,
            "nothing_left": self.nothing_left,
            "in_validation": sum(sides == 3 for sides in self.prompts.values()),
        }

    def length_figures(self) -> dict[str, Any]:
        """In tokens: of each row its longer side; `tokens` all that goes through the model in an epoch."""
        ordered = sorted(self.lengths)
        last = len(ordered) - 1
        quantiles = (
            [ordered[round(last * place / (QUANTILES - 1))] for place in range(QUANTILES)] if ordered else []
        )
        return {
            "quantiles": quantiles,
            "longest": self.longest,
            "tokens": self.train_tokens,
            "trained_tokens": self.trained_tokens,
        }


def _text(messages: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(normalised(message["content"]) for message in messages)


def _digest(*parts: Any) -> bytes:
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
