"""Cost, latency and tokens: did the answer stay under a limit?"""

from __future__ import annotations

from collections.abc import Callable

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    JsonSchema,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .settings import choice, number, whole_number

WITHIN = MetricSpec("within", "Within limit", "higher", "binary", 0.0, 1.0)


def _latency(config: Config) -> Scorer:
    def score(item: ScoringInput) -> Outcome:
        if item.latency_ms is None:
            return Unscored("The time to the answer was not measured.")
        seconds = item.latency_ms / 1000
        return Scored({"within": float(seconds <= config["at_most"])}, f"{seconds:.3g} s.")

    return each(score)


def _cost(config: Config) -> Scorer:
    def score(item: ScoringInput) -> Outcome:
        if item.cost_usd is None:
            return Unscored("The cost is not known: give the model a price on its provider's page.")
        return Scored({"within": float(item.cost_usd <= config["at_most"])}, f"${item.cost_usd:.6g}.")

    return each(score)


_COUNTED: dict[str, Callable[[ScoringInput], int | None]] = {
    "output": lambda item: item.output_tokens,
    "input": lambda item: item.input_tokens,
    "both": lambda item: (
        None
        if item.input_tokens is None or item.output_tokens is None
        else item.input_tokens + item.output_tokens
    ),
}


def _tokens(config: Config) -> Scorer:
    least, most = config["at_least"], config["at_most"]
    if least > most:
        raise InvalidEvaluatorConfig({"at_most": ["The most is below the least."]})

    def score(item: ScoringInput) -> Outcome:
        tokens = _COUNTED[config["count"]](item)
        if tokens is None:
            return Unscored("The provider did not say how many tokens there were.")
        return Scored({"within": float(least <= tokens <= most)}, f"{tokens:,} tokens.")

    return each(score)


def _limit(
    name: str,
    title: str,
    description: str,
    settings: dict[str, JsonSchema],
    make_scorer: Callable[[Config], Scorer],
    also_needs: str,
    required: tuple[str, ...] = ("at_most",),
) -> EvaluatorKind:
    return EvaluatorKind(
        name=name,
        title=title,
        description=description,
        config_schema=config_object(settings, required=required),
        metrics=(WITHIN,),
        make_scorer=make_scorer,
        group=Group.LIMITS,
        also_needs=also_needs,
    )


LATENCY_LIMIT = _limit(
    "latency_limit",
    "Latency limit",
    "1 when the answer came in time, else 0.",
    {"at_most": number("At most, in seconds", "From the call to the whole answer.", low=0, high=86_400)},
    _latency,
    "the time the answer took",
)
COST_LIMIT = _limit(
    "cost_limit",
    "Cost limit",
    "1 when the answer cost no more than this, else 0. What judges cost is not counted.",
    {
        "at_most": number(
            "At most, in US dollars", "For one answer: 0.002 is a fifth of a cent.", low=0, high=1e6
        )
    },
    _cost,
    "a price for the model",
)
TOKEN_LIMIT = _limit(
    "token_limit",
    "Token limit",
    "1 when the number of tokens lies within limits, else 0.",
    {
        "count": choice(
            "Count",
            "As the provider counts them.",
            {"output": "the output's tokens", "input": "the input's tokens", "both": "both together"},
        ),
        "at_most": whole_number("At most", "The most tokens that pass.", low=0, high=100_000_000),
        "at_least": whole_number(
            "At least", "The fewest tokens that pass.", low=0, high=100_000_000, default=0
        ),
    },
    _tokens,
    "the provider's count of tokens",
)
