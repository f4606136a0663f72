"""What a run may still spend on judges: it pauses before their calls could take it past a budget."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from apps.evaluations.engine.budget import (
    MOST_HELD,
    Spent,
    held_by_others,
    hold,
    keeps_a_budget,
    month_budget,
    month_spent,
    run_spent,
)
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore, ProjectBudget


def judged_items_left(run: EvalRun, judges: Sequence[EvaluatorVersion], under_way: int) -> int | None:
    """How many more items may be judged within the budgets of the run and its project; None for no limit.

    An item is expected to take what the dearest so far did. Until one is judged nobody knows, so they go one
    at a time. `under_way` counts items that are claimed and not stored yet.
    """
    if not keeps_a_budget(run):
        return None
    spent = run_spent(run)
    judged = ItemScore.objects.filter(item__run=run, evaluator_version__in=judges).exists()
    limits = [_left_of_tokens(run, spent, judged, under_way)]
    if run.budget_usd is not None:
        limits.append(_items_in(run.budget_usd - spent.usd, spent, judged, under_way))
    limits.append(_left_of_month(run, spent, judged, under_way))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _left_of_tokens(run: EvalRun, spent: Spent, judged: bool, under_way: int) -> int | None:
    if run.budget_tokens is None:
        return None
    left = run.budget_tokens - spent.all_tokens
    if spent.judge_item_tokens:
        return max(0, min(MOST_HELD, left // spent.judge_item_tokens) - under_way)
    return _before_any(left > 0, judged, under_way)


def _items_in(available: Decimal, spent: Spent, judged: bool, under_way: int) -> int | None:
    if spent.judge_usd:
        return max(0, min(MOST_HELD, int(available / spent.judge_usd)) - under_way)
    return _before_any(available > 0, judged, under_way)


def _before_any(some_left: bool, judged: bool, under_way: int) -> int | None:
    if judged:
        return None  # judges are free, or nobody knows what they take
    return max(0, 1 - under_way) if some_left else 0


def _left_of_month(run: EvalRun, spent: Spent, judged: bool, under_way: int) -> int | None:
    """Hold back, under the budget's lock, what this run's judges may now spend."""
    with transaction.atomic():
        budget = ProjectBudget.objects.select_for_update().filter(project=run.project_id).first()
        if budget is None or budget.month_usd is None:
            return None
        available = budget.month_usd - month_spent(run) - held_by_others(run)
        left = _items_in(available, spent, judged, under_way)
        if left is not None:
            hold(run, (under_way + left) * spent.judge_usd)
    return left


def judges_stopped_words(run: EvalRun) -> str:
    """Why the run pauses, for the person who reads it."""
    spent, month = run_spent(run), month_budget(run)
    if run.budget_usd is not None and run.budget_usd - spent.usd < max(spent.judge_usd, Decimal("1e-9")):
        budget = f"the budget of {_usd(run.budget_usd)}: {_usd(spent.usd)} is spent"
    elif run.budget_tokens is not None and run.budget_tokens - spent.all_tokens < max(
        spent.judge_item_tokens, 1
    ):
        budget = f"the budget of {run.budget_tokens:,} tokens: {spent.all_tokens:,} are used"
    else:
        budget = f"the project's budget for the month, {_usd(month or Decimal(0))}"
    return f"The next call of a judge could pass {budget}. Raise the budget and resume: scoring goes on."


def _usd(amount: Decimal) -> str:
    return f"${amount.normalize():f}"
