"""The form of a queue: what is asked of annotators, what a valid answer is, and what it is worth as a score.

Plain Python on the JSON of `AnnotationQueue.form` and `Annotation.values`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from apps.core.errors import InvalidInput

KEY_RE = re.compile(r"^[a-z][a-z0-9_-]{0,39}$")
MOST_FIELDS = 20
MOST_OPTIONS = 50
MOST_STEPS = 10
LONGEST_LABEL = 120
LONGEST_HELP = 400
LONGEST_COMMENT = 4_000
LONGEST_TEXT = 50_000


class Kind(StrEnum):
    THUMB = "thumb"
    CATEGORIES = "categories"
    SCALE = "scale"
    NUMBER = "number"
    TEXT = "text"
    CORRECTION = "correction"
    COMMENT = "comment"
    VOTE = "vote"


UP, DOWN = "up", "down"
#: A vote between the two answers of an item, in the item's own order.
FIRST, SECOND, TIE, BAD = "first", "second", "tie", "bad"
VOTES = (FIRST, SECOND, TIE, BAD)
#: The field of a queue of pairs that holds the vote.
VOTE_KEY = "vote"
#: Kinds that people can agree or disagree on; the others are words of one's own.
JUDGED = frozenset({Kind.THUMB, Kind.CATEGORIES, Kind.SCALE, Kind.NUMBER, Kind.VOTE})
_LONGEST = {Kind.TEXT: LONGEST_TEXT, Kind.CORRECTION: LONGEST_TEXT, Kind.COMMENT: LONGEST_COMMENT}
_WORTH_OF_FIRST = {FIRST: 1.0, SECOND: 0.0, TIE: 0.5, BAD: 0.5}


@dataclass(frozen=True, slots=True)
class FormField:
    """One question. `min` and `max` bound numbers, and are the ends of a scale (1 and 5 unless told).

    `tolerance` is how far apart two numbers may be and still agree: 1 step of a scale unless told.
    `evaluator` is the slug of the judge that answers the same question.
    """

    key: str
    label: str
    kind: Kind
    options: tuple[str, ...] = ()
    multiple: bool = False
    min: float | None = None
    max: float | None = None
    tolerance: float | None = None
    required: bool = False
    help: str = ""
    evaluator: str = ""

    @property
    def low(self) -> int:
        """The lowest step of a scale."""
        return 1 if self.min is None else int(self.min)

    @property
    def high(self) -> int:
        """The highest step of a scale."""
        return 5 if self.max is None else int(self.max)

    @property
    def steps(self) -> range:
        return range(self.low, self.high + 1)

    @property
    def judged(self) -> bool:
        return self.kind in JUDGED

    def as_json(self) -> dict[str, Any]:
        """As it is kept, without what is not set."""
        kept = asdict(self) | {"kind": str(self.kind), "options": list(self.options)}
        always = {"key", "label", "kind", "required"}
        return {name: value for name, value in kept.items() if name in always or _is_set(value)}


class _Refusal(Exception):
    """What is wrong with one field of a form or one answer, in words."""


def read_form(form: object) -> tuple[FormField, ...]:
    """The fields of a form. Raises InvalidInput, naming the field, for what is no form."""
    if not isinstance(form, list) or not form:
        raise _invalid("A form has at least one field.")
    if len(form) > MOST_FIELDS:
        raise _invalid(f"A form has at most {MOST_FIELDS} fields.")
    read: list[FormField] = []
    for number, raw in enumerate(form, start=1):
        try:
            read.append(_read_field(raw, {one.key for one in read}))
        except _Refusal as refusal:
            raise _invalid(f"Field {number}: {refusal}") from None
    return tuple(read)


def check_form(form: object, *, pair: bool) -> tuple[FormField, ...]:
    """`read_form`, and the vote where it belongs: first of all in a queue of pairs, nowhere else."""
    read = read_form(form)
    votes = [one for one in read if one.kind == Kind.VOTE]
    if pair and (read[0].key != VOTE_KEY or len(votes) != 1 or votes[0] is not read[0]):
        raise _invalid('The first field of a queue of pairs is the vote: key "vote", kind "vote".')
    if not pair and votes:
        raise _invalid("A vote is between two answers; this queue shows one answer at a time.")
    if not any(one.required for one in read):
        raise _invalid("At least one field must be required, or an empty form would be an annotation.")
    return read


def check_values(form: Sequence[FormField], values: object, *, partial: bool = False) -> dict[str, Any]:
    """The answers as they are kept: empty ones left out. With `partial`, required ones may be missing.

    Raises InvalidInput with the field's key for each answer that is not one of its field.
    """
    if not isinstance(values, dict):
        raise InvalidInput("The values are an object: field key → value.", fields={"values": ["No object."]})
    wrong: dict[str, list[str]] = {
        str(key)[:40]: ["The form has no such field."] for key in values.keys() - {one.key for one in form}
    }
    kept: dict[str, Any] = {}
    for one in form:
        try:
            value = _checked(one, values.get(one.key))
        except _Refusal as refusal:
            wrong[one.key] = [str(refusal)]
            continue
        if value is not None:
            kept[one.key] = value
        elif one.required and not partial:
            wrong[one.key] = ["This is needed."]
    if wrong:
        labels = {one.key: one.label for one in form}
        first = next(iter(wrong))
        raise InvalidInput(f"{labels.get(first, first)}: {wrong[first][0]}", fields=wrong)
    return kept


def score_of(field: FormField, value: Any) -> tuple[float | None, str]:
    """An answer as a score: its number, where it has one, and its label.

    A thumb is 1 or 0; a scale and a number themselves; a vote what it gives the first answer (1, 0.5, 0).
    Categories have a label only, texts neither.
    """
    if value is None or field.kind in _LONGEST:
        return None, ""
    if field.kind == Kind.THUMB:
        return (1.0 if value == UP else 0.0), str(value)
    if field.kind == Kind.VOTE:
        return _WORTH_OF_FIRST[value], str(value)
    if field.kind == Kind.CATEGORIES:
        return None, ", ".join(value) if isinstance(value, list) else str(value)
    return float(value), f"{value:g}"


def disagreements(form: Iterable[FormField], answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of the fields on which the answers are not the same, of those who answered them."""
    apart = []
    for one in form:
        given = [values[one.key] for values in answers if values.get(one.key) is not None]
        if one.judged and len(given) > 1 and not _same(one, given):
            apart.append(one.key)
    return apart


def _same(one: FormField, given: list[Any]) -> bool:
    if one.kind in (Kind.SCALE, Kind.NUMBER):
        allowed = one.tolerance if one.tolerance is not None else float(one.kind == Kind.SCALE)
        return bool(max(given) - min(given) <= allowed + 1e-9)
    return len({tuple(sorted(value)) if isinstance(value, list) else value for value in given}) == 1


def matches_gold(form: Iterable[FormField], gold: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether the answers are the known ones, on every field whose answer is known."""
    known = [one for one in form if one.judged and gold.get(one.key) is not None]
    return all(values.get(one.key) is not None for one in known) and not disagreements(known, [gold, values])


def _read_field(raw: object, taken: set[str]) -> FormField:
    if not isinstance(raw, dict):
        raise _Refusal("a field is an object with key, label and kind.")
    known = {one.name for one in fields(FormField)}
    if unknown := raw.keys() - known:
        raise _Refusal(f"{', '.join(sorted(map(str, unknown)))} is no property of a field.")
    key, label, kind = raw.get("key"), raw.get("label"), raw.get("kind")
    if not isinstance(key, str) or not KEY_RE.match(key):
        raise _Refusal("its key is up to 40 small letters, digits, “-” and “_”, and begins with a letter.")
    if key in taken:
        raise _Refusal(f"the key “{key}” is used by another field.")
    if not isinstance(kind, str) or kind not in set(Kind):
        raise _Refusal(f"its kind is one of {', '.join(Kind)}.")
    read = FormField(
        key=key,
        label=_text(label, "label", LONGEST_LABEL, needed=True),
        kind=Kind(kind),
        options=_options(raw.get("options"), Kind(kind)),
        multiple=_flag(raw, "multiple"),
        min=_bound(raw, "min"),
        max=_bound(raw, "max"),
        tolerance=_bound(raw, "tolerance"),
        required=_flag(raw, "required"),
        help=_text(raw.get("help", ""), "help", LONGEST_HELP),
        evaluator=_text(raw.get("evaluator", ""), "evaluator", LONGEST_LABEL),
    )
    _check_bounds(read)
    return read


def _check_bounds(read: FormField) -> None:
    if read.min is not None and read.max is not None and read.min >= read.max:
        raise _Refusal("its minimum is smaller than its maximum.")
    if read.tolerance is not None and read.tolerance < 0:
        raise _Refusal("its tolerance is 0 or more.")
    if read.kind == Kind.SCALE:
        if any(end is not None and end != int(end) for end in (read.min, read.max)):
            raise _Refusal("the ends of a scale are whole numbers.")
        if not 1 <= read.high - read.low < MOST_STEPS:
            raise _Refusal(f"a scale has 2 to {MOST_STEPS} steps.")


def _options(raw: object, kind: Kind) -> tuple[str, ...]:
    if kind != Kind.CATEGORIES:
        return ()
    if not isinstance(raw, list) or not 2 <= len(raw) <= MOST_OPTIONS:
        raise _Refusal(f"categories have 2 to {MOST_OPTIONS} options.")
    options = tuple(_text(one, "option", LONGEST_LABEL, needed=True) for one in raw)
    if len(set(options)) < len(options):
        raise _Refusal("no two of its options are the same.")
    return options


def _text(raw: object, name: str, longest: int, *, needed: bool = False) -> str:
    if not isinstance(raw, str) or "\x00" in raw or len(raw) > longest:
        raise _Refusal(f"its {name} is a text of at most {longest} characters.")
    if needed and not raw.strip():
        raise _Refusal(f"its {name} is empty.")
    return raw.strip()


def _flag(raw: Mapping[str, object], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise _Refusal(f"“{name}” is true or false.")
    return value


def _bound(raw: Mapping[str, object], name: str) -> float | None:
    value = raw.get(name)
    if value is None:
        return None
    if not _is_number(value):
        raise _Refusal(f"“{name}” is a number.")
    return float(value)  # type: ignore[arg-type]


def _is_set(value: object) -> bool:
    """Zero is a value."""
    return value is not None and value is not False and value not in ("", [])


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) <= 1e15
    )


def _checked(one: FormField, value: Any) -> Any:
    """The answer as it is kept; None for none. Raises _Refusal."""
    if value is None or value == "" or value == []:
        return None
    if one.kind in _LONGEST:
        return _words(one, value)
    if one.kind == Kind.THUMB:
        return _one_of((UP, DOWN), value)
    if one.kind == Kind.VOTE:
        return _one_of(VOTES, value)
    if one.kind == Kind.CATEGORIES:
        return _category(one, value)
    return _number(one, value)


def _words(one: FormField, value: object) -> str | None:
    longest = _LONGEST[one.kind]
    if not isinstance(value, str) or "\x00" in value:
        raise _Refusal("This is a text.")
    if len(value) > longest:
        raise _Refusal(f"This has at most {longest:,} characters.")
    return value if value.strip() else None


def _one_of(allowed: Sequence[str], value: object) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise _Refusal(f"This is one of {', '.join(allowed)}.")
    return value


def _category(one: FormField, value: object) -> str | list[str]:
    if not one.multiple:
        return _one_of(one.options, value)
    chosen = value if isinstance(value, list) else [value]
    for each in chosen:
        _one_of(one.options, each)
    return [option for option in one.options if option in chosen]


def _number(one: FormField, value: object) -> int | float:
    if not _is_number(value):
        raise _Refusal("This is a number.")
    number: int | float = value  # type: ignore[assignment]
    if one.kind == Kind.SCALE:
        if number not in one.steps:
            raise _Refusal(f"This is a whole number from {one.low} to {one.high}.")
        return int(number)
    if one.min is not None and number < one.min:
        raise _Refusal(f"This is {one.min:g} or more.")
    if one.max is not None and number > one.max:
        raise _Refusal(f"This is {one.max:g} or less.")
    return number


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(text, fields={"form": [text]})
