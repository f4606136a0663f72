"""What a run may still spend on judges: it pauses before their calls could take it past a budget."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.evaluations.engine.budget import (
    MOST_HELD,
    held_by_others,
    month_budget,
    month_spent,
    run_spent,
)
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore


def judged_items_left(run: EvalRun, judges: Sequence[EvaluatorVersion], under_way: int) -> int | None:
    """How many more items may be judged within the budgets of the run and its project; None for no limit.

    An item is expected to cost what the dearest so far did. Until one is judged nobody knows, so they go one
    at a time. `under_way` counts items that are claimed and not stored yet.
    """
    month = month_budget(run)
    if run.budget_usd is None and month is None:
        return None
    spent = run_spent(run)
    limits: list[Decimal] = []
    if run.budget_usd is not None:
        limits.append(run.budget_usd - spent.usd)
    if month is not None:
        limits.append(month - month_spent(run) - held_by_others(run))
    available = min(limits)
    if spent.judge_usd:
        return max(0, min(MOST_HELD, int(available / spent.judge_usd)) - under_way)
    if ItemScore.objects.filter(item__run=run, evaluator_version__in=judges).exists():
        return None  # they are free, or nobody knows their price
    return max(0, 1 - under_way) if available > 0 else 0


def judges_stopped_words(run: EvalRun) -> str:
    """Why the run pauses, for the person who reads it."""
    spent, month = run_spent(run), month_budget(run)
    if run.budget_usd is not None and run.budget_usd - spent.usd < max(spent.judge_usd, Decimal("1e-9")):
        budget = f"the budget of {_usd(run.budget_usd)}: {_usd(spent.usd)} is spent"
    else:
        budget = f"the project's budget for the month, {_usd(month or Decimal(0))}"
    return f"The next call of a judge could pass {budget}. Raise the budget and resume: scoring goes on."


def _usd(amount: Decimal) -> str:
    return f"${amount.normalize():f}"
