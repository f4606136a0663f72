"""What users say: how it goes on the whole, and the votes one by one."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.looking import filters
from apps.feedback.looking.charts import over_time_figure, over_time_in_words
from apps.feedback.looking.collecting import datasets_to_collect_into, queues_to_send_to
from apps.feedback.looking.figures import (
    MOST_SINGLE_DAYS,
    RANGES,
    USUAL_DAYS,
    over_time,
    reasons_counted,
    tallies,
    version_table,
)
from apps.feedback.looking.filters import WORST, FeedbackFilter, feedback_filter_read
from apps.feedback.looking.presenting import Row, feedback_rows
from apps.feedback.looking.selectors import feedback_search, with_answers, worst_answers, worst_votes
from apps.feedback.thumbs.configuration import feedback_settings
from apps.prompts.models import Prompt
from apps.prompts.selectors import prompts_by_slug

PAGE_SIZE = 50
WORST_SHOWN = 8


@project_view(Role.VIEWER)
@require_safe
def overview(request: ProjectRequest) -> HttpResponse:
    """?prompt= one prompt's, ?days= how far back. From tallies alone, but for the worst answers' texts."""
    prompt = next(iter(prompts_by_slug(project=request.project, slugs=[request.GET.get("prompt", "")])), None)
    days = next((days for days in RANGES if str(days) == request.GET.get("days")), USUAL_DAYS)
    found = tallies(project=request.project, prompt=prompt, days=days)
    table = version_table(found)
    series = over_time(found, table, days=days, by_version=prompt is not None)
    worst_filter = FeedbackFilter(prompt=prompt.slug if prompt else "", order=WORST)
    worst = worst_answers(project=request.project, filter=worst_filter).order_by("-badness", "-pk")
    answers = list(worst[:WORST_SHOWN])
    context = {
        "prompt": prompt,
        "prompts": _prompts(request),
        "days": days,
        "ranges": RANGES,
        "table": table,
        "given": sum(row.given for row in table),
        "pending": sum(row.pending for row in table),
        "reasons": reasons_counted(found),
        "figure": over_time_figure(series, weekly=days > MOST_SINGLE_DAYS),
        "figure_words": over_time_in_words(series),
        "worst": feedback_rows(
            worst_votes(project=request.project, filter=worst_filter, answers=answers) if answers else []
        ),
    }
    return render(request, "feedback/overview.html", context)


@project_view(Role.VIEWER)
@require_safe
def feedback_list(request: ProjectRequest) -> HttpResponse:
    """Votes that pass the filter of the address, newest or worst first."""
    filter = feedback_filter_read(request.GET)
    page, rows = _page(request, filter)
    may_edit = request.actor.may(Role.EDITOR)
    context = {
        "filter": filter,
        "page": page,
        "rows": rows,
        "prompts": _prompts(request),
        "reasons": _reasons(request, filter),
        "choices": {name: getattr(filters, name) for name in ("THUMBS", "STATES", "FLAGS", "HAS", "ORDERS")},
        "may_edit": may_edit,
        "queues": queues_to_send_to(project=request.project) if may_edit else [],
        "datasets": datasets_to_collect_into(project=request.project) if may_edit and rows else [],
    }
    return render(request, "feedback/list.html", context)


def _page(request: ProjectRequest, filter: FeedbackFilter) -> tuple[Any, list[Row]]:
    if filter.order == WORST:
        answers = worst_answers(project=request.project, filter=filter)
        page = keyset(answers, request, order="-badness", size=PAGE_SIZE)
        return page, feedback_rows(
            worst_votes(project=request.project, filter=filter, answers=page.rows) if page.rows else []
        )
    votes = with_answers(feedback_search(project=request.project, filter=filter))
    page = keyset(votes, request, size=PAGE_SIZE)
    return page, feedback_rows((vote, None) for vote in page.rows)


def _prompts(request: ProjectRequest) -> list[tuple[str, str]]:
    return list(
        Prompt.objects.filter(project=request.project).order_by("name").values_list("slug", "name")[:2_000]
    )


def _reasons(request: ProjectRequest, filter: FeedbackFilter) -> list[str]:
    """What may be chosen as a reason, and what the address asks for."""
    known = list(feedback_settings(request.project).reasons)
    return [*known, *([filter.reason] if filter.reason and filter.reason not in known else [])]
