"""Pages of spans."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.traces.choices import ERRORS, KINDS, SOURCES, metrics_used, models_used, prompts_offered
from apps.traces.filtering import SpanFilter
from apps.traces.models import Span
from apps.traces.presenting import (
    calls_shown,
    messages_shown,
    scores_shown,
    seconds_of,
    shown,
    span_rows,
    workbench_address,
)
from apps.traces.selectors import span_filter_read, span_get, span_search, spans_listed, spans_of_trace

#: Filters that are seldom used, and stand folded away until they are.
_MORE = ("prompt", "version", "model", "session", "user", "tag", "kind", "metric", "low", "high")


@project_view(Role.VIEWER)
@require_safe
def span_list(request: ProjectRequest) -> HttpResponse:
    filter = span_filter_read(request.GET)
    page = keyset(spans_listed(span_search(project=request.project, filter=filter)), request)
    context = {"page": page, "rows": span_rows(page.rows), "filter": filter, "chosen": filter.as_query()}
    return render(request, "traces/list.html", context | _offered(request, filter) | _queues(request))


def _offered(request: ProjectRequest, filter: SpanFilter) -> dict[str, Any]:
    project, asked = request.project, filter.as_query()
    return {
        "sources": SOURCES,
        "errors": ERRORS,
        "kinds": KINDS,
        "models": models_used(project=project),
        "metrics": metrics_used(project=project),
        "prompts": prompts_offered(project=project),
        "more": sum(name in asked for name in _MORE),
    }


def _queues(request: ProjectRequest) -> dict[str, str]:
    """Where spans are sent to reviewers, for those who may: ?source=spans&query=<a filter>, and with
    &spans=<id> only those that are named."""
    may = request.actor.may(Role.EDITOR)
    return {"to_queue": _address("feedback:queue-add", project_slug=request.project.slug) if may else ""}


@project_view(Role.VIEWER)
@require_safe
def span_detail(request: ProjectRequest, span_id: UUID) -> HttpResponse:
    """Everything about one span; what models and users wrote is shown as text and nothing else."""
    span = span_get(project=request.project, id=span_id)
    slug = request.project.slug
    inputs = span.inputs if isinstance(span.inputs, dict) else {}
    context = {
        "span": span,
        "sent": messages_shown(span.messages),
        "tool_calls": calls_shown(span.tool_calls),
        "inputs": {name: shown(value) for name, value in inputs.items()},
        "parameters": {name: shown(value) for name, value in _parameters(span).items()},
        "scores": list(span.scores.all()),
        "summary": scores_shown(list(span.scores.all())),
        "of_trace": [(each, seconds_of(each.duration_ms)) for each in spans_of_trace(span)],
        "seconds": seconds_of(span.duration_ms),
        "first_token_seconds": seconds_of(span.time_to_first_token_ms),
        "workbench": workbench_address(project_slug=slug, span=span),
        "feedback": _address("feedback:feedback-of-span", project_slug=slug, span_id=span.pk),
    }
    return render(request, "traces/span.html", context | _queues(request))


def _parameters(span: Span) -> dict[str, Any]:
    parameters = span.parameters if isinstance(span.parameters, dict) else {}
    return {name: value for name, value in parameters.items() if name != "model" and value is not None}


def _address(route: str, **kwargs: Any) -> str:
    """Of a page in a room above this one; "" where that room is not there."""
    try:
        return reverse(route, kwargs=kwargs)
    except NoReverseMatch:
        return ""
