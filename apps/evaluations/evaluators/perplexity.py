"""Perplexity: how surprised is the embedded model by the output?"""

from __future__ import annotations

import math
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
from .settings import choice

PROMPT, ALONE = "prompt", "alone"
_ROLES = ("system", "user", "assistant")


def _perplexity(config: Config) -> Scorer:
    def score(items: Sequence[ScoringInput]) -> list[Outcome]:
        from apps.providers.local_model.engine import LocalEngine
        from apps.providers.local_model.likelihood import Likelihood, Text

        texts = [Text(item.output, _chat(item) if config["given"] == PROMPT else ()) for item in items]
        found = LocalEngine.shared().likelihoods(texts)
        return [
            _outcome(one.nats, one.tokens) if isinstance(one, Likelihood) else Unscored(str(one))
            for one in found
        ]

    return score


def _chat(item: ScoringInput) -> list[dict[str, str]]:
    """The messages that the output answers; of an output made elsewhere its inputs, as a question."""
    chat = [
        {"role": str(message["role"]), "content": str(message.get("content") or "")}
        for message in item.messages
        if message.get("role") in _ROLES
    ]
    asked = "\n".join(str(value) for value in item.inputs.values())
    return chat or ([{"role": "user", "content": asked}] if asked else [])


def _outcome(nats: float, tokens: int) -> Outcome:
    if not tokens:
        return Unscored("The output is empty.")
    mean = nats / tokens
    if mean > 700:  # e to this is more than a float holds
        return Unscored("The model finds the output impossible.")
    return Scored({"perplexity": math.exp(mean), "bits_per_token": mean / math.log(2)}, f"{tokens} tokens")


PERPLEXITY = EvaluatorKind(
    name="perplexity",
    title="Perplexity",
    description="How surprised the embedded model is by the output: e to the mean of -ln p(token), given the "
    "prompt or alone; and the same in bits a token. Lower is more expected, not more true.",
    config_schema=config_object(
        {
            "given": choice(
                "Given",
                "What the model has read before. Of outputs made elsewhere, the inputs are the prompt.",
                {PROMPT: "the prompt, as a chat", ALONE: "nothing"},
            )
        }
    ),
    metrics=(
        MetricSpec("perplexity", "Perplexity", "lower", "continuous", 1.0),
        MetricSpec("bits_per_token", "Bits a token", "lower", "continuous", 0.0, unit="bits"),
    ),
    make_scorer=_perplexity,
    group=Group.MODEL_GRADED,
    place=Place.MEMORY,
)
