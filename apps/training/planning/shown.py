"""A row as the trainer will see it: the text by the chat template, cut in what is read, what is trained on,
and what falls off the end. Plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.training.planning.chat_tokens import Encoded, Tokens

READ, TRAINED, CUT = "read", "trained", "cut"
LONGEST_SHOWN = 6_000
#: By column: the title, and whether it is what the model is led to ("good") or away from ("bad").
_SIDES = {"completion": ("Answer", "good"), "chosen": ("Chosen", "good"), "rejected": ("Rejected", "bad")}


@dataclass(frozen=True, slots=True)
class Side:
    """One sequence that goes through the model: prompt and one answer."""

    title: str
    tone: str
    #: Where the answer begins in the text, in characters.
    begins: int
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    side: Side
    tokens: int
    #: Of them, those of the prompt.
    prompt_tokens: int
    #: Where the text is cut, in characters; its length where it is not.
    cut_at: int

    @property
    def trains_nothing(self) -> bool:
        return self.cut_at <= self.side.begins


def sides_of(columns: Mapping[str, Any], tokens: Tokens) -> list[Side]:
    """The sequences of a row: one, or two of a pair. Raises TemplateRefused."""
    prompt = list(columns["prompt"])
    asked = tokens.render(prompt, asks=True)
    found = []
    for name, (title, tone) in _SIDES.items():
        if name not in columns:
            continue
        whole = tokens.render([*prompt, *columns[name]])
        if columns.get("label") is False:
            title, tone = "Bad answer", "bad"
        elif columns.get("label") is True:
            title = "Good answer"
        found.append(Side(title, tone, _common(asked, whole), whole))
    return found


def _common(asked: str, whole: str) -> int:
    """Where the answer begins: templates may write the prompt a little differently when an answer follows."""
    if whole.startswith(asked):
        return len(asked)
    place = 0
    for one, other in zip(asked, whole, strict=False):
        if one != other:
            break
        place += 1
    return place


def measured(side: Side, encoded: Encoded, max_length: int) -> Measured:
    """How long it is, and where `max_length` tokens end."""
    prompt = sum(1 for end in encoded.ends if end <= side.begins)
    cut_at = len(side.text) if encoded.tokens <= max_length else encoded.ends[max_length - 1]
    return Measured(side, encoded.tokens, prompt, cut_at)


def spans_of(found: Measured) -> list[list[str]]:
    """[[text, "read" | "trained" | "cut"], …], for a page; the middle of a long text is left out."""
    text, begins, cut_at = found.side.text, found.side.begins, found.cut_at
    spans = [
        [_shortened(text[: min(begins, cut_at)]), READ],
        [_shortened(text[begins:cut_at]), TRAINED],
        [_shortened(text[cut_at:]), CUT],
    ]
    return [span for span in spans if span[0]]


def _shortened(text: str) -> str:
    text = text.replace("\x00", "")
    if len(text) <= LONGEST_SHOWN:
        return text
    half = LONGEST_SHOWN // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters …]\n{text[-half:]}"
