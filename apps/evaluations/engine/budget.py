"""What a run may still spend. A run pauses before a call could take it past its budget, or its project's.

A call is expected to cost as much as the dearest so far, and more by as much as that one is above the mean:
where all cost the same, that is what they cost. Before the first has an answer nobody knows what one costs,
so they go one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone

from apps.evaluations.engine.other_spending import other_spending
from apps.evaluations.models import BudgetHold, EvalRun, ProjectBudget, RunProgress, RunSpend
from apps.providers.models import Model
from apps.providers.prices import cost_usd

ZERO = Decimal(0)
#: Calls for which a run holds back money at once, beyond those under way.
MOST_HELD = 128
#: What the first call is taken to use when nothing is known, in tokens.
UNKNOWN_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run's calls used so far. `usd` is answers and judges together."""

    calls: int
    tokens: int
    usd: Decimal
    #: What the next item is expected to take.
    answer_usd: Decimal
    judge_usd: Decimal
    call_tokens: int
    #: What the judges of answers that wait for them are expected to cost, and to use.
    owed_usd: Decimal
    judge_tokens: int = 0
    judge_item_tokens: int = 0
    owed_tokens: int = 0

    @property
    def all_tokens(self) -> int:
        return self.tokens + self.judge_tokens

    @property
    def item_usd(self) -> Decimal:
        return self.answer_usd + self.judge_usd


def price_is_known(model: Model) -> bool:
    """A budget can be kept only where each call's cost is known."""
    return _cost(model, 1, 1) is not None


def this_month() -> date:
    """The first day of the month, UTC."""
    return timezone.now().date().replace(day=1)


def month_budget(run: EvalRun) -> Decimal | None:
    """What the run's project may spend in a month, US dollars; None for no limit."""
    found = ProjectBudget.objects.filter(project=run.project_id).values_list("month_usd", flat=True)
    return found.first()


def keeps_a_budget(run: EvalRun) -> bool:
    """True when somebody has to know what is under way: such a run is answered by one process at a time."""
    return run.budget_usd is not None or run.budget_tokens is not None or month_budget(run) is not None


def calls_left(run: EvalRun, under_way: int) -> int | None:
    """How many more calls fit into the budgets of the run and its project; None for no limit.

    `under_way` counts calls that are waiting, started or finished, but not stored yet. Ask again after at
    most MOST_HELD calls: what they may cost is held back from the project's other runs.
    """
    month = month_budget(run)
    if run.budget_usd is None and run.budget_tokens is None and month is None:
        return None
    spent = run_spent(run)
    limits = [_left_of_tokens(run, spent, under_way), _left_of_usd(run, spent, under_way)]
    if month is not None:
        limits.append(_left_of_month(run, spent, under_way))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def run_spent(run: EvalRun) -> Spent:
    """Two short queries, whatever the run's size."""
    row = RunSpend.objects.filter(run=run).aggregate(
        calls=Sum("calls"),
        tokens=Sum("tokens"),
        answers=Sum("answers_usd"),
        judges=Sum("judges_usd"),
        answer=Max("dearest_answer_usd"),
        judge=Max("dearest_judge_usd"),
        most=Max("most_tokens"),
        judge_tokens=Sum("judge_tokens"),
        most_judge=Max("most_judge_tokens"),
    )
    waiting = RunProgress.objects.filter(run=run).values_list("answered", flat=True).first() or 0
    calls = row["calls"] or 0
    judge: Decimal = row["judge"] or ZERO
    answers, tokens, most = row["answers"] or ZERO, row["tokens"] or 0, row["most"] or 0
    return Spent(
        calls=calls,
        tokens=tokens,
        usd=answers + (row["judges"] or ZERO),
        answer_usd=_expected(row["answer"] or ZERO, answers / calls) if calls else ZERO,
        judge_usd=judge,
        call_tokens=2 * most - tokens // calls if calls else 0,
        owed_usd=waiting * judge,
        judge_tokens=row["judge_tokens"] or 0,
        judge_item_tokens=row["most_judge"] or 0,
        owed_tokens=waiting * (row["most_judge"] or 0),
    )


def spent_words(run: EvalRun) -> str:
    """Why the run pauses, for the person who reads it; "" where no budget stands in its way."""
    spent = run_spent(run)
    if run.budget_usd is not None and _left_of_usd(run, spent, 0) == 0:
        return (
            f"The next call could pass the budget of {_usd(run.budget_usd)}: "
            f"{_usd(spent.usd)} is spent. Raise the budget and resume."
        )
    if run.budget_tokens is not None and _left_of_tokens(run, spent, 0) == 0:
        return (
            f"The next call could pass the budget of {run.budget_tokens:,} tokens: "
            f"{spent.all_tokens:,} are used. Raise the budget and resume."
        )
    month = month_budget(run)
    if month is None:
        return ""
    held = held_by_others(run)
    others = f", {_usd(held)} is held for calls of other runs" if held else ""
    return (
        f"The next call could pass the project's budget of {_usd(month)} for {this_month():%B %Y}: "
        f"{_usd(month_spent(run))} is spent{others}. Raise the budget in the project's settings and resume, "
        "or resume next month."
    )


def month_spent(run: EvalRun) -> Decimal:
    """What the project's runs, and its other calls to models, cost this month, US dollars."""
    row = RunSpend.objects.filter(project=run.project_id, month=this_month()).aggregate(
        answers=Sum("answers_usd"), judges=Sum("judges_usd")
    )
    total: Decimal = (row["answers"] or ZERO) + (row["judges"] or ZERO)
    return total + other_spending(run.project_id, this_month()).usd


def held_by_others(run: EvalRun) -> Decimal:
    """What other running runs of the project hold back, US dollars."""
    total: Decimal | None = _other_holds(run).aggregate(total=Sum("usd"))["total"]
    return total or ZERO


def _other_holds(run: EvalRun) -> QuerySet[BudgetHold]:
    holds = BudgetHold.objects.filter(project=run.project_id, expires_at__gt=timezone.now())
    return holds.filter(run__status__in=("pending", "running")).exclude(run=run)


def _left_of_usd(run: EvalRun, spent: Spent, under_way: int) -> int | None:
    if run.budget_usd is None:
        return None
    return _calls_in(run.budget_usd - spent.usd - spent.owed_usd, spent, under_way)


def _left_of_tokens(run: EvalRun, spent: Spent, under_way: int) -> int | None:
    if run.budget_tokens is None:
        return None
    left = run.budget_tokens - spent.all_tokens - spent.owed_tokens
    if not spent.calls:
        return max(0, 1 - under_way) if left > 0 else 0
    each = spent.call_tokens + spent.judge_item_tokens
    return max(0, left // each - under_way) if each else None


def _left_of_month(run: EvalRun, spent: Spent, under_way: int) -> int | None:
    """Share what is left of the month under a short lock, and hold back what this run may now spend."""
    with transaction.atomic():
        budget = ProjectBudget.objects.select_for_update().filter(project=run.project_id).first()
        if budget is None or budget.month_usd is None:
            return None
        others = list(_other_holds(run).values_list("usd", flat=True))
        available = budget.month_usd - month_spent(run) - sum(others, ZERO) - spent.owed_usd
        left = _calls_in(available, spent, under_way)
        if left is None:
            return None
        # Several runs near the end of the money: no one takes all that is left.
        left = min(MOST_HELD, left if not others else max(min(left, 1), left // (len(others) + 1)))
        each = spent.item_usd if spent.calls else _first_call_usd(run)
        hold(run, (under_way + left) * each + spent.owed_usd)
    return left


def hold(run: EvalRun, usd: Decimal) -> None:
    """Hold money of the month back from the project's other runs. Call it under the lock of the budget."""
    timeout = run.model.provider.timeout_s if run.model else 0
    until = timezone.now() + timedelta(seconds=timeout + 60)
    BudgetHold.objects.update_or_create(
        run=run, defaults={"project_id": run.project_id, "usd": usd, "expires_at": until}
    )


def _calls_in(available: Decimal, spent: Spent, under_way: int) -> int | None:
    if not spent.calls:
        return max(0, 1 - under_way) if available > 0 else 0
    if spent.item_usd == 0:
        return None
    return max(0, int(available / spent.item_usd) - under_way)


def _expected(dearest: Decimal, mean: Decimal) -> Decimal:
    return dearest + max(ZERO, dearest - mean)


def _first_call_usd(run: EvalRun) -> Decimal:
    output = run.parameters.get("max_tokens")
    tokens = output if isinstance(output, int) else UNKNOWN_TOKENS
    return (_cost(run.model, UNKNOWN_TOKENS, tokens) if run.model else None) or ZERO


def _cost(model: Model, input_tokens: int, output_tokens: int) -> Decimal | None:
    provider = model.provider
    return cost_usd(
        model.name,
        kind=provider.kind,
        base_url=provider.base_url,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        override=model.price_override,
    )


def _usd(amount: Decimal) -> str:
    return f"${amount.normalize():f}"
