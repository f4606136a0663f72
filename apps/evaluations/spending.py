"""Reading what was spent and what is left: of a project's month, of a run's budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Sum
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.engine.budget import ZERO, this_month
from apps.evaluations.engine.other_spending import other_spending
from apps.evaluations.models import BudgetHold, EvalRun, ProjectBudget, RunSpend

RUNS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class MonthSpending:
    """A project's month, in US dollars. `unknown` counts answers of unknown price, which are not in it."""

    month: date
    budget: Decimal | None
    answers: Decimal
    judges: Decimal
    held: Decimal
    unknown: int
    #: Calls outside of runs: the workbench's.
    others: Decimal = ZERO

    @property
    def spent(self) -> Decimal:
        return self.answers + self.judges + self.others

    @property
    def left(self) -> Decimal | None:
        """What is neither spent nor held back for calls under way; None without a budget."""
        return None if self.budget is None else max(ZERO, self.budget - self.spent - self.held)

    @property
    def share(self) -> int:
        """Percent of the budget that is spent."""
        if not self.budget:
            return 100 if self.budget is not None else 0
        return min(100, int(100 * self.spent / self.budget))


@dataclass(frozen=True, slots=True)
class RunBudget:
    """What a run's own budgets leave it, in US dollars and tokens; None where it has none."""

    spent_usd: Decimal
    spent_tokens: int
    left_usd: Decimal | None
    left_tokens: int | None


def month_spending(*, project: Project) -> MonthSpending:
    """This month's budget, what is spent and what is held back: three queries, and what other rooms ask."""
    budget = ProjectBudget.objects.filter(project=project).values_list("month_usd", flat=True).first()
    month = this_month()
    row = RunSpend.objects.filter(project=project, month=month).aggregate(
        answers=Sum("answers_usd"), judges=Sum("judges_usd"), unknown=Sum("unknown")
    )
    holds = BudgetHold.objects.filter(
        project=project, expires_at__gt=timezone.now(), run__status__in=("pending", "running")
    )
    others = other_spending(project.pk, month)
    return MonthSpending(
        month=month,
        budget=budget,
        answers=row["answers"] or ZERO,
        judges=row["judges"] or ZERO,
        held=holds.aggregate(total=Sum("usd"))["total"] or ZERO,
        unknown=(row["unknown"] or 0) + others.unknown,
        others=others.usd,
    )


def month_runs(*, project: Project) -> list[RunSpend]:
    """What runs spent this month, the dearest first and RUNS_SHOWN at most; each with its run at hand."""
    spending = RunSpend.objects.filter(project=project, month=this_month()).select_related("run")
    return list(spending.order_by((F("answers_usd") + F("judges_usd")).desc(), "-run_id")[:RUNS_SHOWN])


def budgets_of(runs: Sequence[EvalRun]) -> dict[UUID, RunBudget]:
    """Run id → what its calls spent and its budgets leave, for each of `runs`, in one query."""
    rows = (
        RunSpend.objects.filter(run__in=[run.pk for run in runs])
        .values("run")
        .annotate(dollars=Sum(F("answers_usd") + F("judges_usd")), used=Sum("tokens"))
    )
    found = {row["run"]: (row["dollars"], row["used"]) for row in rows}
    return {run.pk: _run_budget(run, *found.get(run.pk, (ZERO, 0))) for run in runs}


def _run_budget(run: EvalRun, usd: Decimal, tokens: int) -> RunBudget:
    return RunBudget(
        spent_usd=usd,
        spent_tokens=tokens,
        left_usd=None if run.budget_usd is None else max(ZERO, run.budget_usd - usd),
        left_tokens=None if run.budget_tokens is None else max(0, run.budget_tokens - tokens),
    )
