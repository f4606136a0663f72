"""Levenshtein distance: how many edits lie between output and reference?"""

from __future__ import annotations

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
from .references import reference_texts
from .settings import choice, flag

MAX_TABLE_CELLS = 20_000_000_000  # 64 cells a step: about half a second


def _levenshtein(config: Config) -> Scorer:
    from rapidfuzz.distance import Levenshtein

    def read(text: str) -> str | list[str]:
        text = text.strip() if config["strip"] else text
        text = text.casefold() if config["casefold"] else text
        return text.split() if config["unit"] == "words" else text

    def score(item: ScoringInput) -> Outcome:
        output, references = read(item.output), [read(text) for text in reference_texts(item.reference)]
        if not references:
            return Unscored("The reference is an empty list.")
        if len(output) * max(map(len, references)) > MAX_TABLE_CELLS:
            return Unscored("Output and reference are too long to be compared letter by letter.")
        distances = [Levenshtein.distance(output, reference) for reference in references]
        similar = [
            1 - d / (max(len(output), len(r)) or 1) for d, r in zip(distances, references, strict=True)
        ]
        best = similar.index(max(similar))
        return Scored({"similarity": similar[best], "distance": float(distances[best])})

    return each(score)


LEVENSHTEIN = EvaluatorKind(
    name="levenshtein",
    title="Levenshtein distance",
    description="Fewest insertions, deletions and replacements that turn the output into the reference, and "
    "the similarity: 1 less the distance over the longer length. The most similar of several references "
    "counts. By RapidFuzz.",
    config_schema=config_object(
        {
            "unit": choice(
                "Count",
                "What is inserted, deleted or replaced.",
                {"characters": "characters", "words": "words"},
            ),
            "casefold": flag("Ignore case", "Upper and lower case count as the same.", False),
            "strip": flag("Ignore surrounding space", "Space at the beginning and end does not count.", True),
        }
    ),
    metrics=(
        MetricSpec("similarity", "Similarity", "higher", "continuous", 0.0, 1.0),
        MetricSpec("distance", "Distance", "lower", "continuous", 0.0, None, "edits"),
    ),
    make_scorer=_levenshtein,
    needs_reference=True,
    group=Group.TEXT,
)
