"""One vote with all that belongs to it, and what is said of one answer."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.raters import rater_names
from apps.feedback.looking.collecting import (
    datasets_to_collect_into,
    example_key,
    queues_to_send_to,
    regression_set,
    spans_in,
)
from apps.feedback.looking.presenting import Row, feedback_rows
from apps.feedback.looking.selectors import (
    feedback_by_subject,
    feedback_get,
    feedback_of_span,
)
from apps.feedback.looking.similar import similar_failures
from apps.feedback.models import Feedback, SpanEmbedding


@project_view(Role.VIEWER)
@require_safe
def detail(request: ProjectRequest, feedback_id: UUID) -> HttpResponse:
    """What was asked and answered, what the user said of it, what was decided, and what can be done."""
    vote = feedback_get(project=request.project, id=feedback_id)
    others = [one for one in feedback_of_span(project=request.project, span_id=vote.span_id) if one != vote]
    may_edit = request.actor.may(Role.EDITOR)
    dataset = regression_set(prompt=vote.prompt) if vote.prompt else None
    context = {
        "vote": vote,
        "row": Row(vote, None),
        "others": feedback_rows((one, None) for one in others),
        "by_subject": feedback_rows((one, None) for one in feedback_by_subject(given=vote)),
        "decided_by": _decided_by(vote),
        "may_edit": may_edit,
        "regressions": dataset,
        "is_regression": bool(spans_in(dataset=dataset, spans=[vote.span])),
        "is_failure": vote.thumb == Feedback.DOWN or bool(vote.correction),
        "queues": queues_to_send_to(project=request.project) if may_edit else [],
        "datasets": datasets_to_collect_into(project=request.project) if may_edit else [],
    }
    return render(request, "feedback/detail.html", context)


def _decided_by(vote: Feedback) -> str:
    if not vote.decided_by:
        return ""
    return "the rule" if vote.decided_by == "rule" else rater_names([vote.decided_by])[vote.decided_by]


@project_view(Role.VIEWER)
@require_safe
def similar(request: ProjectRequest, feedback_id: UUID) -> HttpResponse:
    """The failures that are most like this one; polls until a worker has made its embedding."""
    vote = feedback_get(project=request.project, id=feedback_id)
    found = similar_failures(given=vote)
    dataset = regression_set(prompt=vote.prompt) if vote.prompt else None
    kept = spans_in(dataset=dataset, spans=[one.span for one in found or ()])
    context = {
        "vote": vote,
        "waits": found is None and SpanEmbedding.objects.filter(span=vote.span_id, vector=None).exists(),
        "similar": [(one, Row(one.vote, None), example_key(one.span) in kept) for one in found or ()],
        "may_edit": request.actor.may(Role.EDITOR) and vote.prompt_id is not None,
    }
    return render(request, "feedback/_similar.html", context)


@project_view(Role.VIEWER)
@require_safe
def of_span(request: ProjectRequest, span_id: UUID) -> HttpResponse:
    """A fragment: what users say of one answer."""
    votes = feedback_of_span(project=request.project, span_id=span_id)
    context = {
        "rows": feedback_rows((vote, None) for vote in votes),
        "ups": sum(vote.thumb == Feedback.UP for vote in votes),
        "downs": sum(vote.thumb == Feedback.DOWN for vote in votes),
    }
    return render(request, "feedback/_of_span.html", context)
