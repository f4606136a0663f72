"""Embedding similarity: does the output mean what the reference means?"""

from __future__ import annotations

from collections.abc import Sequence

from .base import (
    Config,
    EvaluatorKind,
    Group,
    MetricSpec,
    Outcome,
    Place,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
)
from .references import reference_texts


def _embedding_similarity(config: Config) -> Scorer:
    def score(items: Sequence[ScoringInput]) -> list[Outcome]:
        from apps.providers.embeddings import embed

        references = [[text for text in reference_texts(item.reference) if text.strip()] for item in items]
        pairs = [(item.output, texts) for item, texts in zip(items, references, strict=True) if texts]
        needed = list(dict.fromkeys(text for output, texts in pairs for text in (output, *texts)))
        vectors = dict(zip(needed, embed(needed), strict=True)) if needed else {}

        def closest(output: str, texts: list[str]) -> Outcome:
            if not texts:
                return Unscored("The reference is empty.")
            best = max(float(vectors[output] @ vectors[text]) for text in texts)
            return Scored({"cosine": min(1.0, max(-1.0, best))})

        return [closest(item.output, texts) for item, texts in zip(items, references, strict=True)]

    return score


EMBEDDING_SIMILARITY = EvaluatorKind(
    name="embedding_similarity",
    title="Embedding similarity",
    description="Cosine of the angle between the sentence embeddings of output and reference (-1 to 1), by "
    "the embedded model all-MiniLM-L6-v2. The closest of several references counts. "
    "Long texts are cut by the model.",
    config_schema=config_object({}),
    metrics=(MetricSpec("cosine", "Cosine similarity", "higher", "continuous", -1.0, 1.0),),
    make_scorer=_embedding_similarity,
    needs_reference=True,
    group=Group.REFERENCE,
    place=Place.MEMORY,
)
