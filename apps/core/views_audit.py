"""The audit log of a project: read, filtered, exported."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.audit_log import AuditFilter, action_words, audit_actions, audit_events, changes, changes_text
from apps.core.forms_people import AuditFilterForm
from apps.core.models import AuditEvent
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.spreadsheets import csv_lines
from apps.core.views import ProjectRequest, project_view

_COLUMNS = (
    "when",
    "by",
    "kind of actor",
    "address",
    "action",
    "type of target",
    "target",
    "target id",
    "changes",
)


@project_view(Role.ADMIN)
@require_safe
def audit_log(request: ProjectRequest) -> HttpResponse:
    form = _filter_form(request)
    page = keyset(audit_events(project=request.project, chosen=_chosen(form)), request)
    rows = [(event, action_words(event.action), changes(event)) for event in page.rows]
    context = {"form": form, "page": page, "rows": rows, "filtered": bool(request.GET)}
    return render(request, "core/audit.html", context)


@project_view(Role.ADMIN)
@require_safe
def audit_export(request: ProjectRequest) -> HttpResponseBase:
    """The log as it is filtered, newest first, as a CSV file; streamed, however long it is."""
    events = audit_events(project=request.project, chosen=_chosen(_filter_form(request))).order_by("-id")
    response = StreamingHttpResponse(
        csv_lines(_COLUMNS, _rows(events.iterator(500))), content_type="text/csv"
    )
    response["Content-Disposition"] = f'attachment; filename="audit-{request.project.slug}.csv"'
    return response


def _rows(events: Iterator[AuditEvent]) -> Iterator[tuple[str, ...]]:
    for event in events:
        yield (
            event.created_at.isoformat(),
            event.actor_label,
            event.actor_kind,
            event.address,
            event.action,
            event.target_type,
            event.target_label,
            event.target_id,
            changes_text(event),
        )


def _filter_form(request: ProjectRequest) -> AuditFilterForm:
    return AuditFilterForm(request.GET, actions=audit_actions(request.project))


def _chosen(form: AuditFilterForm) -> AuditFilter:
    """What was filled in and can be read; a field that cannot be read says so and filters nothing."""
    form.is_valid()
    return AuditFilter(**{name: value for name, value in form.cleaned_data.items() if value})
