"""Length: is the output as long as it should be?"""

from __future__ import annotations

import re

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    config_object,
    each,
)
from .settings import choice, whole_number

LONGEST = 10_000_000
SENTENCE_ENDS = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")


def length_of(text: str, unit: str) -> int:
    """How many characters, words (separated by space), sentences or lines `text` has; ends do not count."""
    text = text.strip()
    match unit:
        case "words":
            return len(text.split())
        case "sentences":
            return sum(any(char.isalnum() for char in part) for part in SENTENCE_ENDS.split(text))
        case "lines":
            return sum(bool(line.strip()) for line in text.splitlines())
        case _:
            return len(text)


def _length(config: Config) -> Scorer:
    least, most, unit = config.get("at_least"), config.get("at_most"), config["unit"]
    if least is None and most is None:
        raise InvalidEvaluatorConfig({"at_most": ["Set a shortest or a longest length, or both."]})
    if least is not None and most is not None and least > most:
        raise InvalidEvaluatorConfig({"at_most": ["The longest length is below the shortest."]})

    def score(item: ScoringInput) -> Outcome:
        length = length_of(item.output, unit)
        within = (least is None or length >= least) and (most is None or length <= most)
        return Scored({"within": float(within), "length": float(length)}, f"{length:,} {unit}.")

    return each(score)


LENGTH = EvaluatorKind(
    name="length",
    title="Length",
    description="1 when the output is no shorter and no longer than it should be, else 0; and its length.",
    config_schema=config_object(
        {
            "unit": choice(
                "Count",
                "Words are what space separates; sentences end in . ! ? or a line break; empty lines do not "
                "count.",
                {"characters": "characters", "words": "words", "sentences": "sentences", "lines": "lines"},
            ),
            "at_least": whole_number("At least", "The shortest length that passes.", low=0, high=LONGEST),
            "at_most": whole_number("At most", "The longest length that passes.", low=0, high=LONGEST),
        }
    ),
    metrics=(
        MetricSpec("within", "Within limits", "higher", "binary", 0.0, 1.0),
        MetricSpec("length", "Length", None, "continuous", 0.0, None),
    ),
    make_scorer=_length,
    group=Group.LIMITS,
)
