"""What a training set is made of: sources, filters, and what is left out. Kept as JSON with the set."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, time
from typing import Any

from django.utils.dateparse import parse_date

from apps.core.errors import InvalidInput

FEEDBACK, ANNOTATIONS, VOTES = "feedback", "annotations", "votes"
SOURCES = {
    FEEDBACK: "End users' feedback that was let through",
    ANNOTATIONS: "Reviewers' annotations",
    VOTES: "Votes on comparisons",
}
MAJORITY, UNANIMOUS, KEEP, LEAVE_OUT = "majority", "unanimous", "keep", "leave_out"
CONFLICTS = {
    MAJORITY: "The majority decides; where it is even, the answer is left out",
    UNANIMOUS: "Whatever raters disagree on is left out",
    KEEP: "The majority decides; where it is even, both sides are kept",
}
KEEP_OR_LEAVE = {KEEP: "Count and keep them", LEAVE_OUT: "Count and leave them out"}
EMBEDDED, ESTIMATE = "embedded", "estimate"
TOKENIZERS = {
    EMBEDDED: "The embedded model's (SmolLM2)",
    ESTIMATE: "An estimate: a token for each 4 characters",
}
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Recipe:
    """`since` and `until` are days (UTC), both included; "" is no bound. Splits are percents that add to 100.

    On a scale, `good_from` and above is a thumb up, `bad_to` and below a thumb down; what lies between is
    neither. `field` names the form's field that judges; "" is its first thumb, else its first scale.
    """

    sources: tuple[str, ...] = tuple(SOURCES)
    prompt: str = ""
    version: int | None = None
    model: str = ""
    queue: str = ""
    field: str = ""
    since: str = ""
    until: str = ""
    corrections: bool = True
    approvals: bool = True
    good_from: float = 4
    bad_to: float = 2
    conflicts: str = MAJORITY
    duplicates: str = LEAVE_OUT
    near_duplicates: str = KEEP
    overlaps: str = KEEP
    different_prompts: str = KEEP
    tokenizer: str = EMBEDDED
    max_tokens: int = 2048
    longer: str = KEEP
    train: int = 90
    validation: int = 5
    test: int = 5

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"sources": list(self.sources)}

    @property
    def from_time(self) -> datetime | None:
        day = parse_date(self.since) if self.since else None
        return datetime.combine(day, time.min, UTC) if day else None

    @property
    def to_time(self) -> datetime | None:
        day = parse_date(self.until) if self.until else None
        return datetime.combine(day, time.max, UTC) if day else None


_CHOICES = {
    "conflicts": CONFLICTS,
    "duplicates": KEEP_OR_LEAVE,
    "near_duplicates": KEEP_OR_LEAVE,
    "overlaps": KEEP_OR_LEAVE,
    "different_prompts": KEEP_OR_LEAVE,
    "longer": KEEP_OR_LEAVE,
    "tokenizer": TOKENIZERS,
}
_NAMES = {field.name for field in fields(Recipe)}


def read_recipe(asked: dict[str, Any]) -> Recipe:
    """The recipe that `asked` describes; what it does not name has its default. Raises InvalidInput."""
    wrong: dict[str, list[str]] = {
        name: ["A training set has no such setting."] for name in asked.keys() - _NAMES
    }
    given = {name: value for name, value in asked.items() if name in _NAMES}
    if "sources" in given:
        given["sources"] = tuple(dict.fromkeys(given["sources"] or ()))
        if not given["sources"] or set(given["sources"]) - set(SOURCES):
            wrong["sources"] = [f"Choose at least one of {', '.join(SOURCES)}."]
    for name, choices in _CHOICES.items():
        if name in given and given[name] not in choices:
            wrong[name] = [f"Choose one of {', '.join(choices)}."]
    for name in ("since", "until"):
        if given.get(name) and not _is_day(given[name]):
            wrong[name] = ["Give a day as YYYY-MM-DD."]
    for name in ("good_from", "bad_to"):
        if name in given and not math.isfinite(given[name]):
            wrong[name] = ["Give a number."]
    if wrong:
        raise _invalid(wrong)
    recipe = Recipe(**given)
    _check_together(recipe)
    return recipe


def _check_together(recipe: Recipe) -> None:
    if recipe.bad_to >= recipe.good_from:
        raise _invalid({"bad_to": ["This must be below what counts as good."]})
    if min(recipe.train, recipe.validation, recipe.test) < 0:
        raise _invalid({"train": ["A share is 0 or more."]})
    if recipe.train + recipe.validation + recipe.test != 100:
        raise _invalid({"train": ["The three shares must add up to 100 percent."]})
    if not 16 <= recipe.max_tokens <= 1_000_000:
        raise _invalid({"max_tokens": ["Give a number from 16 to 1,000,000."]})
    if recipe.version is not None and not recipe.prompt:
        raise _invalid({"version": ["A version is of a prompt: choose the prompt too."]})


def _is_day(text: object) -> bool:
    try:
        return isinstance(text, str) and parse_date(text) is not None
    except ValueError:
        return False


def _invalid(wrong: dict[str, list[str]]) -> InvalidInput:
    name, messages = next(iter(wrong.items()))
    return InvalidInput(f"{name}: {messages[0]}", fields=wrong)
