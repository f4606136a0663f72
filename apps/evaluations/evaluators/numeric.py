"""Numeric match: is the number that the output ends on the right one?"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .settings import choice, number

MARKED = re.compile(
    r"####[ \t]*(?=[-−+$€£¥.\d])(?!\d+[.)][ \t]+\S)"
)  # not a heading such as “#### 2. Add them”
MAX_DIGITS = 400
NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)\]])[-−]|(?<![\w.])\+)?"  # a hyphen after a digit or bracket joins or subtracts
    r"(?:[$€£¥]\s?)?(?P<minus>(?<=[$€£¥])[-−])?"
    r"(?<![\w.])(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?P<exponent>[eE][+-]?\d{1,3})?(?![\d])"
)


def numbers_in(text: str) -> list[Decimal]:
    """Every number written in `text`, in order.

    Understands thousands separators (1,319), signs (also the true minus and before or after a currency sign),
    decimals and exponents. Digits inside a word (`x2`) are not numbers; a unit may follow directly (`18kg`).
    """
    found = []
    for hit in NUMBER.finditer(text):
        digits = hit["digits"].replace(",", "")
        if len(digits) > MAX_DIGITS:
            continue
        negative = (hit["sign"] or "").strip() in {"-", "−"} or hit["minus"] is not None
        try:
            value = Decimal(digits + (hit["exponent"] or ""))
        except InvalidOperation:
            continue
        found.append(-value if negative else value)
    return found


def answer_in(text: str, take: str) -> Decimal | None:
    """The number `text` gives as its answer; None where it holds none.

    That is the number directly after the last `####`, if there is one; else the last number in the text, or
    the first for `take="first"`.
    """
    *_, after_marker = ["", *MARKED.split(text)[1:]]
    found = numbers_in(after_marker)
    if found:
        return found[0]
    found = numbers_in(text)
    if not found:
        return None
    return found[0] if take == "first" else found[-1]


def _reference_numbers(reference: Any, take: str) -> list[Decimal]:
    entries = reference if isinstance(reference, list) else [reference]
    answers = []
    for entry in entries:
        if isinstance(entry, bool) or entry is None:
            continue
        if isinstance(entry, int | float):
            value = Decimal(repr(entry))
            answers += [value] if value.is_finite() else []
        elif isinstance(entry, str):
            answer = answer_in(entry, take)
            answers += [] if answer is None else [answer]
    return answers


def _numeric_match(config: Config) -> Scorer:
    absolute, relative = Decimal(repr(config["tolerance"])), Decimal(repr(config["relative_tolerance"]))

    def score(item: ScoringInput) -> Outcome:
        wanted = _reference_numbers(item.reference, config["take"])
        if not wanted:
            return Unscored("The reference holds no number.")
        given = answer_in(item.output, config["take"])
        if given is None:
            return Scored({"match": 0.0}, "The output holds no number.")
        passed = any(abs(given - value) <= max(absolute, relative * abs(value)) for value in wanted)
        return Scored({"match": float(passed)}, f"Read {given}, expected {wanted[0]}.")

    return each(score)


NUMERIC_MATCH = EvaluatorKind(
    name="numeric_match",
    title="Numeric match",
    description="1 when the number in the output equals the number in the reference, within a tolerance. "
    "A number after #### counts as the answer; otherwise the last one.",
    config_schema=config_object(
        {
            "tolerance": number(
                "Absolute tolerance",
                "How far the number may be from the reference.",
                low=0,
                high=1e12,
                default=1e-6,
            ),
            "relative_tolerance": number(
                "Relative tolerance",
                "The same as a share of the reference: 0.01 allows one per cent. The larger one counts.",
                low=0,
                high=1,
                default=0,
            ),
            "take": choice(
                "Which number",
                "Which number of a text is the answer, where there is no #### marker.",
                {"last": "the last", "first": "the first"},
            ),
        }
    ),
    metrics=(MetricSpec("match", "Match", "higher", "binary", 0.0, 1.0),),
    make_scorer=_numeric_match,
    group=Group.REFERENCE,
    needs_reference=True,
)
