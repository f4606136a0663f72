"""Starts with: does the output begin as it should?"""

from __future__ import annotations

import unicodedata

from .base import (
    Config,
    EvaluatorKind,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .references import reference_texts, shorten
from .settings import flag, lines


def _starts_with(config: Config) -> Scorer:
    def fold(text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        return text if config["case_sensitive"] else text.casefold()

    def score(item: ScoringInput) -> Outcome:
        wanted = list(config["texts"]) or [text for text in reference_texts(item.reference) if text]
        if not wanted:
            return Unscored("No texts are set, and the example has no reference to begin with.")
        output = fold(item.output.lstrip() if config["skip_space"] else item.output)
        if any(output.startswith(fold(text)) for text in wanted):
            return Scored({"match": 1.0})
        return Scored({"match": 0.0}, f"It begins “{shorten(item.output, 60)}”.")

    return each(score)


STARTS_WITH = EvaluatorKind(
    name="starts_with",
    title="Starts with",
    description="1 when the output begins with one of some texts, else 0.",
    config_schema=config_object(
        {
            "texts": lines("Texts", "One of these, one a line. Left empty: the example's reference."),
            "case_sensitive": flag("Case matters", "Upper and lower case count as different.", False),
            "skip_space": flag("Skip space", "Space and line breaks before the text do not count.", True),
        }
    ),
    metrics=(MetricSpec("match", "Match", "higher", "binary", 0.0, 1.0),),
    make_scorer=_starts_with,
)
