"""What the columns of a file of pairs are: plain Python on names, with guesses for the files people have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from apps.core.errors import InvalidInput

MOST_RATERS = 50
_PROMPTS = ("prompt", "instruction", "question", "query", "messages", "context", "input", "inputs")
_STEMS = ("answer", "response", "output", "completion")
_FIRSTS = ("first", "a", *(f"{stem}{end}" for end in ("_a", "1", "_1") for stem in _STEMS))
_SECONDS = ("second", "b", *(f"{stem}{end}" for end in ("_b", "2", "_2") for stem in _STEMS))
_FIRST_NAMES = ("first_name", "model_a", "name_a", "model1", "first_model")
_SECOND_NAMES = ("second_name", "model_b", "name_b", "model2", "second_model")
_VOTES = re.compile(
    r"^(annotator|annotation|rater|vote|label|winner|preference|judge|human)s?[ _-]?\w{0,40}$"
)


@dataclass(frozen=True, slots=True)
class PairMapping:
    """Names of columns. `prompt` columns are put together with a blank line between them.

    `votes` holds one column for each rater, who is called like it. `names` is one column with both names,
    "a_b"; otherwise each answer has its own. With `first_won` the first answer is the better one of each
    row: {"chosen", "rejected"}.
    """

    prompt: tuple[str, ...] = ()
    first: str = ""
    second: str = ""
    votes: tuple[str, ...] = ()
    first_name: str = ""
    second_name: str = ""
    names: str = ""
    first_won: bool = False

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> PairMapping:
        """As `as_json` wrote it. Raises InvalidInput for what was not."""
        names = ("first", "second", "first_name", "second_name", "names")
        texts = {name: kept.get(name) or "" for name in names}
        lists = (kept.get("prompt") or [], kept.get("votes") or [])
        prompt, votes = (tuple(one) if isinstance(one, list | tuple) else (None,) for one in lists)
        unknown = kept.keys() - {*names, "prompt", "votes", "first_won"}
        if unknown or not all(isinstance(one, str) for one in (*prompt, *votes, *texts.values())):
            raise InvalidInput(
                "A mapping has prompt and votes (lists of columns), first, second, first_name, second_name, "
                "names (columns) and first_won (true or false).",
                fields={"mapping": ["This is no mapping."]},
            )
        first_won = bool(kept.get("first_won"))
        return cls(prompt=prompt, votes=votes, first_won=first_won, **texts)

    @property
    def raters(self) -> int:
        return 1 if self.first_won else len(self.votes)

    @property
    def columns(self) -> list[str]:
        single = (self.first, self.second, self.first_name, self.second_name, self.names)
        return [*self.prompt, *self.votes, *(name for name in single if name)]


def check_mapping(mapping: PairMapping, columns: Sequence[str]) -> None:
    """Raises InvalidInput where the file has no such column, or there is nothing to choose between."""
    for field in ("first", "second"):
        if not getattr(mapping, field):
            raise _wrong(field, "Choose the column with this answer.")
    if mapping.first == mapping.second:
        raise _wrong("second", "The two answers are in two columns.")
    if len(mapping.votes) > MOST_RATERS:
        raise _wrong("votes", f"A file has at most {MOST_RATERS} raters.")
    missing = [name for name in mapping.columns if name not in columns]
    if missing:
        have = ", ".join(columns[:20]) or "none"
        raise _wrong("mapping", f"The file has no column {', '.join(missing)}. It has: {have}.")


def guess_mapping(columns: Sequence[str]) -> PairMapping | None:
    """What the columns look like; None where no two columns look like answers."""
    have = {name.strip().lower().replace(" ", "_"): name for name in columns}
    if "chosen" in have and "rejected" in have:
        prompt = tuple(have[name] for name in ("prompt", "instruction", "question") if name in have)[:1]
        return PairMapping(prompt, have["chosen"], have["rejected"], first_won=True)
    first, second = _first_of(_FIRSTS, have), _first_of(_SECONDS, have)
    if not first or not second:
        return None
    instruction = have.get("instruction", "")
    found = _first_of(_PROMPTS, have)
    prompt = (found,) if found else ()
    if instruction and "input" in have:
        prompt = (instruction, have["input"])
    return PairMapping(
        prompt=prompt,
        first=first,
        second=second,
        votes=tuple(name for name in columns if _VOTES.match(name.strip().lower()))[:MOST_RATERS],
        first_name=_first_of(_FIRST_NAMES, have),
        second_name=_first_of(_SECOND_NAMES, have),
        names=have.get("cmp_key", ""),
    )


def _first_of(wanted: Sequence[str], have: Mapping[str, str]) -> str:
    return next((have[name] for name in wanted if name in have), "")


def _wrong(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
