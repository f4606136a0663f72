"""Blind review: one pair of outputs at a time, without names until the vote."""

from __future__ import annotations

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.blind.pages import blind_context, blind_url
from apps.evaluations.blind.selectors import BlindPool, BlindRow, blind_row
from apps.evaluations.blind.votes import PairGone, pair_vote_cast, pair_vote_withdraw
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.comparisons.state import LONGEST, comparison_state
from apps.evaluations.raters import rater_of

_CHOICES = ("1", "2", "0")
_WITHDRAW = "withdraw"


@project_view(Role.ANNOTATOR)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def comparison_blind_page(request: ProjectRequest, number: int) -> HttpResponse:
    """The next row to vote on; `row` names another, `last` the one whose names are shown, `done` ends it."""
    comparison = comparison_get(project=request.project, number=number)
    pool = BlindPool(
        state=comparison_state(comparison, request.GET),
        rater=rater_of(request.actor),
        identical=request.GET.get("identical") == "1",
        names_at_end=request.GET.get("names") == "end",
    )
    if request.method == "POST":
        return _vote(request, pool)
    asked = {name: _text(request.GET, name) for name in ("after", "row", "last")}
    context = blind_context(pool, **asked, done="done" in request.GET)
    return _panel(request, context)


def _vote(request: ProjectRequest, pool: BlindPool) -> HttpResponse:
    """Keep the vote and show the next row, with the names of this one above it."""
    choice, name, after = (
        _text(request.POST, "choice"),
        _text(request.POST, "row"),
        _text(request.GET, "after"),
    )
    if choice not in (*_CHOICES, _WITHDRAW):
        raise InvalidInput("Vote 1, 2 or 0 (a tie).", fields={"choice": ["1, 2 or 0."]})
    row = blind_row(pool, name)
    try:
        if row is None:
            raise PairGone("This row is gone: a run or its answer was taken away meanwhile.")
        if choice == _WITHDRAW:
            return _withdraw(request, pool, row)
        _cast(request, pool, row, choice)
    except PairGone as gone:
        return _panel(request, blind_context(pool, after=after) | {"gone": gone.detail}, status=409)
    following = blind_url(pool, after=after, last=row.name)
    if not request.htmx:
        return redirect(following)
    response = _panel(request, blind_context(pool, after=after, last=row.name))
    response["HX-Replace-Url"] = following
    return response


def _withdraw(request: ProjectRequest, pool: BlindPool, row: BlindRow) -> HttpResponse:
    """Take the vote on the row back, and show the row without one."""
    pair_vote_withdraw(comparison=pool.state.comparison, by=request.actor, one=row.first, other=row.second)
    following = blind_url(pool, row=row.name)
    if not request.htmx:
        return redirect(following)
    response = _panel(request, blind_context(pool, row=row.name) | {"withdrawn": True})
    response["HX-Replace-Url"] = following
    return response


def _cast(request: ProjectRequest, pool: BlindPool, row: BlindRow, choice: str) -> None:
    pair_vote_cast(
        comparison=pool.state.comparison,
        by=request.actor,
        one=row.first,
        other=row.second,
        winner={"1": row.first, "2": row.second, "0": None}[choice],
        shown_first=row.first,
        reason=request.POST.get("reason", "").replace("\x00", ""),
    )


def _panel(request: ProjectRequest, context: dict[str, object], *, status: int = 200) -> HttpResponse:
    template = "evaluations/_blind_panel.html" if request.htmx else "evaluations/blind.html"
    return render(request, template, context, status=status)


def _text(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\x00", "")[:LONGEST]
