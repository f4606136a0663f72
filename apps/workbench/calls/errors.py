"""What can go wrong with calls, as the product tells it."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound


class CallNotFound(NotFound):
    code = "call_not_found"


class InvalidRun(InvalidInput):
    """A column cannot be run; `fields` names each place: "columns[0].messages[1].content"."""

    code = "invalid_run"
    title = "This cannot be run"
    status = 422


class BudgetUsedUp(Conflict):
    code = "budget_used_up"
    title = "The month's budget is used up"
