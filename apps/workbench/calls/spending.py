"""What calls of the workbench cost in a project's month; and refusing one that it has no room for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Q, Sum

from apps.core.models import Project
from apps.evaluations.engine.budget import price_is_known
from apps.evaluations.engine.other_spending import OtherSpending
from apps.evaluations.spending import month_spending
from apps.providers.models import Model
from apps.providers.prices import FREE
from apps.providers.selectors import model_price
from apps.workbench.calls.errors import BudgetUsedUp, InvalidRun
from apps.workbench.models import Call, Trial, TrialCell

Status = Call.Status


def calls_spending(project_id: UUID, month: date) -> OtherSpending:
    """Three queries over an index, of which one looks at the calls that failed.

    A call counts in the month in which it was asked for, and the judges of a trial in the trial's.
    """
    begins = datetime(month.year, month.month, 1, tzinfo=UTC)
    ends = (begins + timedelta(days=32)).replace(day=1)
    answered = Q(cost_usd=None, status__in=(Status.COMPLETED, Status.CANCELLED))
    calls = Call.objects.filter(project=project_id, created_at__gte=begins, created_at__lt=ends)
    row = calls.aggregate(usd=Sum("cost_usd"), unknown=Count("pk", filter=answered))
    begun = calls.filter(cost_usd=None, status=Status.FAILED, time_to_first_token_ms__isnull=False).count()
    trials = Trial.objects.filter(project=project_id, created_at__gte=begins, created_at__lt=ends)
    judged = TrialCell.objects.filter(trial__in=trials).aggregate(
        usd=Sum("judge_cost_usd"), unknown=Sum("judge_unknown")
    )
    usd = (row["usd"] or Decimal(0)) + (judged["usd"] or Decimal(0))
    return OtherSpending(usd, row["unknown"] + begun + (judged["unknown"] or 0))


def check_month(*, project: Project, models: Sequence[Model]) -> None:
    """Raises BudgetUsedUp where the project's month has nothing left for models that cost something, and
    InvalidRun where a price is not known, so that no budget could be kept.
    """
    dear = [model for model in models if model_price(model).price != FREE]
    if not dear:
        return
    month = month_spending(project=project)
    if month.budget is None:
        return
    for model in dear:
        if not price_is_known(model):
            text = (
                f"This project has a budget, and the price of {model} is not known. Set it under Providers."
            )
            raise InvalidRun(text, fields={"model": [text]})
    if month.left == 0:
        raise BudgetUsedUp(
            f"The project's budget of ${month.budget.normalize():f} for {month.month:%B %Y} is used up. "
            "Raise it in the project's settings, use a model that costs nothing, or wait for next month."
        )
