"""Evaluators, runs with their items and scores, and comparisons of runs."""

from __future__ import annotations

from .budgets import BudgetHold, ProjectBudget, RunSpend
from .cache import CachedResponse
from .comparisons import Comparison, ComparisonFigures, RowComment
from .evaluators import Evaluator, EvaluatorSecret, EvaluatorVersion
from .measures import ItemScore, RunMetric, RunProgress, RunTally
from .person_scores import PersonScore
from .runs import EvalItem, EvalRun, ItemAttempt, RunNews
from .votes import PairVote

__all__ = [
    "BudgetHold",
    "CachedResponse",
    "Comparison",
    "ComparisonFigures",
    "EvalItem",
    "EvalRun",
    "Evaluator",
    "EvaluatorSecret",
    "EvaluatorVersion",
    "ItemAttempt",
    "ItemScore",
    "PairVote",
    "PersonScore",
    "ProjectBudget",
    "RowComment",
    "RunMetric",
    "RunNews",
    "RunProgress",
    "RunSpend",
    "RunTally",
]
