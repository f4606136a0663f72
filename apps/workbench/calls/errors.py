"""What can go wrong with calls, as the product tells it."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound, ProductError


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


class TooManyPages(ProductError):
    """More pages are followed at once than one person, or one server, has room for."""

    code = "too_many_pages"
    title = "Too many pages are open"
    status = 429
