"""Money: what a project may spend in a month, what its runs spent, what running ones hold back."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from apps.core.models import Project
from apps.evaluations.models.runs import EvalRun


class ProjectBudget(models.Model):
    """What the project's runs may cost in a calendar month (UTC), in US dollars; null for no limit.

    Its row is also the lock under which running runs share what is left.
    """

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="+")
    month_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return "no limit" if self.month_usd is None else f"${self.month_usd} a month"


class RunSpend(models.Model):
    """What a run's calls cost in one month. Kept by the database itself (a trigger on the items).

    It only grows: an item that is answered again costs again. Outputs made elsewhere and answers from the
    cache cost nothing here. Costs in US dollars; `unknown` counts answers whose price is not known.
    """

    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="spending")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    #: Its first day.
    month = models.DateField()
    calls = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    answers_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    judges_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    # The most that one item took: what the next is expected to take is made of it.
    dearest_answer_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    dearest_judge_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    most_tokens = models.BigIntegerField(default=0)
    judge_tokens = models.BigIntegerField(default=0)
    most_judge_tokens = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "month"), name="run_spend_once_a_month"),)
        indexes = (models.Index(fields=("project", "month"), name="spend_by_project_month"),)

    def __str__(self) -> str:
        return f"${self.usd} in {self.month:%Y-%m}"

    @property
    def usd(self) -> Decimal:
        return self.answers_usd + self.judges_usd


class BudgetHold(models.Model):
    """What a running run may spend on the calls it has under way, held back from the project's other runs."""

    run = models.OneToOneField(EvalRun, primary_key=True, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    usd = models.DecimalField(max_digits=18, decimal_places=9)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("project", "expires_at"), name="hold_by_project"),)

    def __str__(self) -> str:
        return f"${self.usd} until {self.expires_at:%H:%M:%S}"
