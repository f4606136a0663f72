"""Exact match, contains and regular expression: did the output say what it should?"""

from __future__ import annotations

import unicodedata
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    InvalidEvaluatorConfig,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .references import as_text, reference_texts, shorten
from .settings import choice, flag, line, lines

PATTERN_TIMEOUT_S = 0.5
MATCHED = MetricSpec("match", "Match", "higher", "binary", 0.0, 1.0)


def normalise(text: str, config: Config) -> str:
    """`text` with the differences removed that the settings call unimportant."""
    if config["unicode_nfc"]:
        text = unicodedata.normalize("NFC", text)
    if config["casefold"]:
        text = text.casefold()
    if config["strip_punctuation"]:
        text = "".join(char for char in text if not unicodedata.category(char).startswith("P"))
    if config["collapse_whitespace"]:
        text = " ".join(text.split())
    return text.strip() if config["strip"] else text


def _exact_match(config: Config) -> Scorer:
    def score(item: ScoringInput) -> Outcome:
        answers = reference_texts(item.reference)
        if not answers:
            return Unscored("The reference is an empty list.")
        if normalise(item.output, config) in {normalise(answer, config) for answer in answers}:
            return Scored({"match": 1.0})
        return Scored({"match": 0.0}, f"Expected “{shorten(answers[0])}”.")

    return each(score)


def _contains(config: Config) -> Scorer:
    def fold(text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        return text if config["case_sensitive"] else text.casefold()

    def score(item: ScoringInput) -> Outcome:
        wanted = list(config["texts"]) or reference_texts(item.reference)
        if not wanted:
            return Unscored("No texts are set, and the example has no reference to look for.")
        output = fold(item.output)
        found = [text for text in wanted if fold(text) in output]
        missing = [text for text in wanted if text not in found]
        match config["mode"]:
            case "any":
                passed, detail = bool(found), f"None of {_quoted(wanted)} found."
            case "all":
                passed, detail = not missing, f"Not found: {_quoted(missing)}."
            case _:
                passed, detail = not found, f"Found, but should not be there: {_quoted(found)}."
        return Scored({"match": float(passed)}, "" if passed else detail)

    return each(score)


def compiled_pattern(pattern: str, flags: int = 0) -> Any:
    """A pattern of the `regex` package, whose searches take a time limit. Raises InvalidEvaluatorConfig."""
    import regex  # type: ignore[import-untyped]

    try:
        return regex.compile(pattern, flags | regex.V0)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise InvalidEvaluatorConfig({"pattern": [f"This is not a regular expression: {error}."]}) from error


def _regex(config: Config) -> Scorer:
    import regex

    flags = 0
    for setting, meaning in (
        ("ignore_case", regex.IGNORECASE),
        ("multiline", regex.MULTILINE),
        ("dot_all", regex.DOTALL),
    ):
        flags |= meaning if config[setting] else 0
    pattern = compiled_pattern(config["pattern"], flags)
    find = {"search": pattern.search, "start": pattern.match, "whole": pattern.fullmatch}[config["where"]]

    def score(item: ScoringInput) -> Outcome:
        try:
            hit = find(item.output, timeout=PATTERN_TIMEOUT_S)
        except TimeoutError:
            return Unscored(f"The pattern took longer than {PATTERN_TIMEOUT_S} s on this output.")
        passed = bool(hit) == (config["expect"] == "match")
        detail = f"Matched “{shorten(hit.group())}”." if hit else "The pattern did not match."
        return Scored({"match": float(passed)}, detail)

    return each(score)


def _quoted(texts: list[str]) -> str:
    return ", ".join(f"“{shorten(as_text(text), 60)}”" for text in texts[:5]) + (
        ", …" if len(texts) > 5 else ""
    )


EXACT_MATCH = EvaluatorKind(
    name="exact_match",
    title="Exact match",
    description="1 when the output equals the reference (any entry, where that is a list), else 0.",
    config_schema=config_object(
        {
            "strip": flag("Ignore surrounding space", "Space at the beginning and end does not count.", True),
            "casefold": flag("Ignore case", "Upper and lower case count as the same.", False),
            "collapse_whitespace": flag(
                "Collapse white space", "Runs of spaces and line breaks count as one space.", False
            ),
            "strip_punctuation": flag(
                "Ignore punctuation", "Punctuation marks are left out on both sides.", False
            ),
            "unicode_nfc": flag(
                "Normalise Unicode", "“é” as one character equals “e” with an accent (form NFC).", True
            ),
        }
    ),
    metrics=(MATCHED,),
    make_scorer=_exact_match,
    needs_reference=True,
)

CONTAINS = EvaluatorKind(
    name="contains",
    title="Contains",
    description="1 when the output holds the texts it should (or none of those it should not), else 0.",
    config_schema=config_object(
        {
            "texts": lines("Texts", "What to look for, one a line. Left empty: the example's reference."),
            "mode": choice(
                "The output must hold",
                "With several texts: one is enough, all are needed, or none may occur.",
                {"any": "any of them", "all": "all of them", "none": "none of them"},
            ),
            "case_sensitive": flag("Case matters", "Upper and lower case count as different.", False),
        }
    ),
    metrics=(MATCHED,),
    make_scorer=_contains,
)

REGEX = EvaluatorKind(
    name="regex",
    title="Regular expression",
    description="1 when the output matches a pattern (or does not, if so chosen), else 0.",
    config_schema=config_object(
        {
            "pattern": line(
                "Pattern",
                "A Python regular expression. One that runs longer than half a second on an output gives no "
                "score for it.",
                default=None,
            ),
            "where": choice(
                "Where",
                "What part of the output the pattern must fit.",
                {"search": "anywhere", "start": "at the start", "whole": "the whole output"},
            ),
            "expect": choice(
                "Passes when",
                "Whether a match is wanted.",
                {"match": "it matches", "no_match": "it does not match"},
            ),
            "ignore_case": flag("Ignore case", "Upper and lower case count as the same.", False),
            "multiline": flag("^ and $ fit each line", "Otherwise only the whole output's ends.", False),
            "dot_all": flag("Dot fits line breaks", "The dot also stands for a line break.", False),
        },
        required=["pattern"],
    ),
    metrics=(MATCHED,),
    make_scorer=_regex,
)
