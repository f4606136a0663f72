"""The kinds of evaluator: what each measures, its settings, and how it scores a batch of outputs.

To add one, describe it in a module of this package and list it in `KINDS`.
"""

from __future__ import annotations

from .base import (
    Direction,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    MetricSpec,
    Outcome,
    Place,
    Scale,
    Scored,
    ScoringInput,
    UnknownEvaluatorKind,
    Unscored,
)
from .by_calls import ByCalls, DefaultPrompt
from .classification import CLASSIFICATION
from .config import complete_config, default_config
from .embedding import EMBEDDING_SIMILARITY
from .factuality import FACTUALITY
from .json_diff import JSON_DIFF
from .json_format import JSON_SCHEMA, JSON_VALID
from .lengths import LENGTH
from .levenshtein import LEVENSHTEIN
from .multilabel import MULTILABEL
from .numeric import NUMERIC_MATCH
from .pairwise import PAIRWISE_JUDGE
from .passes_if import PASSES_IF
from .perplexity import PERPLEXITY
from .refusal import REFUSAL
from .rouge import ROUGE, ROUGE_L
from .rubric import RUBRIC_JUDGE
from .self_consistency import SELF_CONSISTENCY
from .starts_with import STARTS_WITH
from .text_match import CONTAINS, EXACT_MATCH, REGEX
from .thresholds import COST_LIMIT, LATENCY_LIMIT, TOKEN_LIMIT
from .token_f1 import TOKEN_F1
from .tool_calls import TOOL_CALL_MATCH
from .translation import BLEU, CHRF
from .webhook import WEBHOOK
from .whole_run import WholeRun

KINDS: tuple[EvaluatorKind, ...] = (
    EXACT_MATCH,
    CONTAINS,
    STARTS_WITH,
    REGEX,
    LEVENSHTEIN,
    REFUSAL,
    JSON_VALID,
    JSON_SCHEMA,
    JSON_DIFF,
    TOOL_CALL_MATCH,
    NUMERIC_MATCH,
    TOKEN_F1,
    BLEU,
    CHRF,
    ROUGE,
    ROUGE_L,
    EMBEDDING_SIMILARITY,
    CLASSIFICATION,
    MULTILABEL,
    LENGTH,
    LATENCY_LIMIT,
    COST_LIMIT,
    TOKEN_LIMIT,
    RUBRIC_JUDGE,
    FACTUALITY,
    PAIRWISE_JUDGE,
    SELF_CONSISTENCY,
    PERPLEXITY,
    WEBHOOK,
    PASSES_IF,
)
_BY_NAME = {kind.name: kind for kind in KINDS}


def kinds() -> tuple[EvaluatorKind, ...]:
    """All kinds, in the order in which they are offered."""
    return KINDS


def kind(name: str) -> EvaluatorKind:
    """The kind called `name`. Raises UnknownEvaluatorKind."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownEvaluatorKind(name, list(_BY_NAME)) from None


__all__ = [
    "KINDS",
    "ByCalls",
    "DefaultPrompt",
    "Direction",
    "EvaluatorKind",
    "Group",
    "InvalidEvaluatorConfig",
    "MetricSpec",
    "Outcome",
    "Place",
    "Scale",
    "Scored",
    "ScoringInput",
    "UnknownEvaluatorKind",
    "Unscored",
    "WholeRun",
    "complete_config",
    "default_config",
    "kind",
    "kinds",
]
