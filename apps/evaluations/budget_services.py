"""Setting what a project may spend in a month."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.evaluations.engine.budget import price_is_known
from apps.evaluations.models import ProjectBudget
from apps.providers.models import Model

#: US dollars, and tokens: more than these is a slip of the finger.
MOST_USD = 1_000_000
MOST_TOKENS = 10**15


def project_budget_set(*, project: Project, by: Actor, month_usd: Decimal | None) -> ProjectBudget:
    """What all runs of the project may cost in a month, US dollars; None for no limit.

    Runs under way keep to it from their next calls on. Raises InvalidInput.
    """
    if month_usd is not None and not (month_usd.is_finite() and 0 <= month_usd < MOST_USD):
        text = "A budget is an amount of US dollars from 0 to under a million."
        raise InvalidInput(text, fields={"month_usd": [text]})
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        budget, _ = ProjectBudget.objects.get_or_create(project=project)
        before, budget.month_usd = budget.month_usd, month_usd
        budget.save()
        if before != month_usd:
            audit(
                by,
                "project.budget",
                project,
                project=project,
                before={"month_usd": _plain(before)},
                after={"month_usd": _plain(month_usd)},
            )
    return budget


def check_budgets(project: Project, model: Model | None, *, budget_usd: Decimal | None) -> None:
    """Raises InvalidInput where a budget could not be kept, since the model's price is not known."""
    if model is None or price_is_known(model):
        return
    text = f"The price of {model} is not known, so no budget can be kept. Set its price under Providers."
    if budget_usd is not None:
        raise InvalidInput(text, fields={"budget_usd": [text]})
    if ProjectBudget.objects.filter(project=project, month_usd__isnull=False).exists():
        text = f"This project has a budget, and the price of {model} is not known. Set it under Providers."
        raise InvalidInput(text, fields={"model": [text]})


def typed_usd(text: str) -> Decimal:
    """US dollars as a person typed them. Raises InvalidInput."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < MOST_USD:
        wrong = "A budget is an amount of US dollars from 0 to under a million."
        raise InvalidInput(wrong, fields={"budget_usd": [wrong]})
    return amount


def typed_tokens(text: str) -> int:
    """A number of tokens as a person typed it. Raises InvalidInput."""
    digits = text.strip().replace(",", "")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        wrong = "A budget of tokens is a whole number."
        raise InvalidInput(wrong, fields={"budget_tokens": [wrong]})
    return int(digits)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"
