"""Pages of a queue: agreement, annotators, ranking. They poll only while there is something to wait for."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.raters import rater_names
from apps.feedback.agreement.disagreements import disagreement_rows, disputed_items
from apps.feedback.agreement.making import queue_agreement
from apps.feedback.agreement.words import answer_in_words, field_sentences
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import read_form
from apps.feedback.queues.selectors import queue_get

#: Seconds between two looks: while figures are made, and while people are still at work.
SOON, LATER = 2, 20


@project_view(Role.VIEWER)
@require_safe
def queue_agreement_page(request: ProjectRequest, slug: str) -> HttpResponse:
    """How far annotators agree by field, and the items on which they do not (`show=settled` for the rest)."""
    context = _frame(request, slug, "agreement")
    figures = context["figures"] or {}
    names = rater_names({rater for field in figures.get("fields", []) for rater in _in_pairs(field)})
    settled = request.GET.get("show") == "settled"
    page = keyset(disputed_items(context["queue"], settled=settled), request, size=20)
    context |= {
        "fields": [_field(field, names) for field in figures.get("fields", [])],
        "settled": settled,
        "page": page,
        "rows": disagreement_rows(page.rows, read_form(context["queue"].form)),
        "adjudication": AnnotationQueue.objects.filter(adjudicates=context["queue"]).first(),
    }
    return _answer(request, context)


def _in_pairs(field: dict[str, Any]) -> list[str]:
    return [pair[side] for pair in field["pairs"] for side in ("first", "second")]


def _field(field: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    pairs = [
        {**pair, "first": names[pair["first"]], "second": names[pair["second"]]} for pair in field["pairs"]
    ]
    counts = [(answer_in_words(answer), number) for answer, number in field["counts"].items()]
    return {**field, "pairs": pairs, "counts": counts, "sentences": field_sentences(field)}


@project_view(Role.VIEWER)
@require_safe
def queue_raters_page(request: ProjectRequest, slug: str) -> HttpResponse:
    """Each annotator: speed, gold accuracy, agreement with the others, what they skipped."""
    context = _frame(request, slug, "raters")
    rows = (context["figures"] or {}).get("raters", [])
    names = rater_names({row["rater"] for row in rows})
    context["rows"] = [{**row, "name": names[row["rater"]]} for row in rows]
    return _answer(request, context)


@project_view(Role.VIEWER)
@require_safe
def queue_ranking_page(request: ProjectRequest, slug: str) -> HttpResponse:
    """How strong the versions, models or runs of a queue of pairs are by the votes."""
    context = _frame(request, slug, "ranking")
    context["ranking"] = (context["figures"] or {}).get("ranking")
    return _answer(request, context)


def _frame(request: ProjectRequest, slug: str, tab: str) -> dict[str, Any]:
    """What all three show, and whether there is anything to wait for."""
    queue = queue_get(project=request.project, slug=slug)
    state = queue_agreement(queue)
    at_work = queue.archived_at is None and queue.done_count < queue.item_count
    return {
        "queue": queue,
        "tab": tab,
        "figures": state.figures,
        "error": state.error,
        "waiting": state.waiting,
        "stale": state.stale,
        "poll": SOON if state.waiting else LATER if at_work and state.figures else 0,
        "may_edit": request.actor.may(Role.EDITOR),
    }


def _answer(request: ProjectRequest, context: dict[str, Any]) -> HttpResponse:
    name = f"feedback/_queue_{context['tab']}.html"
    context["fragment"] = name
    return render(request, name if request.htmx else "feedback/queue_figures.html", context)
