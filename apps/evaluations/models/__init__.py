"""Evaluators, runs with their items and scores, and comparisons of runs."""

from __future__ import annotations

from .cache import CachedResponse
from .comparisons import Comparison
from .evaluators import Evaluator, EvaluatorVersion
from .measures import ItemScore, RunMetric, RunProgress, RunTally
from .runs import EvalItem, EvalRun, ItemAttempt

__all__ = [
    "CachedResponse",
    "Comparison",
    "EvalItem",
    "EvalRun",
    "Evaluator",
    "EvaluatorVersion",
    "ItemAttempt",
    "ItemScore",
    "RunMetric",
    "RunProgress",
    "RunTally",
]
