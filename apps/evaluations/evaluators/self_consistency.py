"""Self-consistency: do the repetitions of an example give the same answer?

The share of agreeing answers is what Wang et al. (2023), "Self-Consistency Improves Chain of Thought
Reasoning in Language Models", section 3.3, find to go with accuracy.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

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
    each,
)
from .numeric import answer_in
from .settings import choice, number

EXACT, NUMERIC, EMBEDDING = "exact", "numeric", "embedding"
_EDGES = string.punctuation + string.whitespace + "“”…"  # what people type


def _agreement(items: Sequence[ScoringInput], config: Config) -> list[Outcome]:
    if len(items) < 2:
        return [Unscored("The example has one output only: start the run with repetitions.") for _ in items]
    agree = _agreeing([item.output for item in items], config)
    others = len(items) - 1
    outcomes: list[Outcome] = []
    for place in range(len(items)):
        count = sum(1 for other in range(len(items)) if other != place and agree[place][other])
        outcomes.append(Scored({"agreement": count / others}, f"{count} of the {others} others agree."))
    return outcomes


def _agreeing(outputs: Sequence[str], config: Config) -> Any:
    """Which outputs agree, as rows of truth values."""
    if config["method"] == EMBEDDING:
        from apps.providers.embeddings import embed

        vectors = embed(outputs)
        return (vectors @ vectors.T) >= config["threshold"]
    answers = [_answer(output, config["method"]) for output in outputs]
    return [[mine is not None and mine == other for other in answers] for mine in answers]


def _answer(output: str, method: str) -> Any:
    if method == NUMERIC:
        return answer_in(output, "last")
    return " ".join(output.casefold().split()).strip(_EDGES)


def _alone(config: Config) -> Scorer:
    return each(lambda item: Unscored("It compares the repetitions of a run; one output alone has none."))


def needs_embeddings(config: Config) -> bool:
    """True when the settings need the embedding model, which only some workers hold."""
    return config.get("method") == EMBEDDING


SELF_CONSISTENCY = EvaluatorKind(
    name="self_consistency",
    title="Self-consistency",
    description="For each output, the share of the example's other repetitions that give the same answer. "
    "Its mean is the chance that two of them agree. Needs a run with repetitions; computed at its end.",
    config_schema=config_object(
        {
            "method": choice(
                "Same answer",
                "When two outputs count as the same.",
                {
                    EXACT: "same text, but for case, blanks and punctuation at the ends",
                    NUMERIC: "same number, the last in the text or that after ####",
                    EMBEDDING: "similar sentence embeddings",
                },
            ),
            "threshold": number(
                "Similar from", "The least cosine of two that agree.", low=-1, high=1, default=0.9
            ),
        }
    ),
    metrics=(MetricSpec("agreement", "Agreement", "higher", "continuous", 0.0, 1.0),),
    make_scorer=_alone,
    group=Group.MODEL_GRADED,
    place=Place.AT_END,
    of_repetitions=_agreement,
    also_needs="a run with repetitions",
)
