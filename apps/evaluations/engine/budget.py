"""What a run may still spend. A run pauses before a call could take it past its budget."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Max, Sum

from apps.evaluations.models import EvalRun
from apps.providers.models import Model
from apps.providers.prices import cost_usd


def price_is_known(model: Model) -> bool:
    """A budget can be kept only where each call's cost is known."""
    provider = model.provider
    cost = cost_usd(
        model.name,
        kind=provider.kind,
        base_url=provider.base_url,
        input_tokens=1,
        output_tokens=1,
        override=model.price_override,
    )
    return cost is not None


def calls_left(run: EvalRun, under_way: int) -> int | None:
    """How many more calls fit into the budget beside those under way; None for no limit.

    Each call is taken to cost as much as the dearest so far. Before the first has an answer nobody knows what
    one costs, so they go one at a time.
    """
    if run.budget_usd is None:
        return None
    figures = run.items.aggregate(spent=Sum("cost_usd"), dearest=Max("cost_usd"))
    spent: Decimal = figures["spent"] or Decimal(0)
    if figures["dearest"] is None:
        return max(0, 1 - under_way) if run.budget_usd > 0 else 0
    if figures["dearest"] == 0:
        return None
    return max(0, int((run.budget_usd - spent) / figures["dearest"]) - under_way)


def spent_words(run: EvalRun) -> str:
    """Why the run pauses, for the person who reads it."""
    spent = run.items.aggregate(spent=Sum("cost_usd"))["spent"] or Decimal(0)
    return (
        f"The next call could pass the budget of ${run.budget_usd.normalize():f}: "
        f"${spent.normalize():f} is spent. Raise the budget and resume."
        if run.budget_usd is not None
        else ""
    )
