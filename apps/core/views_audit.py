"""The audit log, of a project or of the accounts: read, filtered, exported."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.core.audit_log import AuditFilter, action_words, audit_actions, audit_events, changes, changes_text
from apps.core.forms_people import AuditFilterForm
from apps.core.models import AuditEvent, Project
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.spreadsheets import csv_lines
from apps.core.streams import download
from apps.core.views import ProjectRequest, UserRequest, project_view, superuser_view

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
    export = reverse("core:audit-export", args=[request.project.slug])
    return _log_page(request, request.project, "layouts/project.html", export)


@project_view(Role.ADMIN)
@require_safe
def audit_export(request: ProjectRequest) -> HttpResponseBase:
    """The log as it is filtered, newest first, as a CSV file; streamed, however long it is."""
    return _log_file(request, request.project, f"audit-{request.project.slug}.csv")


@superuser_view
@require_safe
def accounts_log(request: UserRequest) -> HttpResponse:
    """What happened outside of projects: accounts, sign-ins, passwords, second factors."""
    return _log_page(request, None, "layouts/plain.html", reverse("core:accounts-audit-export"))


@superuser_view
@require_safe
def accounts_log_export(request: UserRequest) -> HttpResponseBase:
    return _log_file(request, None, "audit-accounts.csv")


def _log_page(request: HttpRequest, project: Project | None, layout: str, export_url: str) -> HttpResponse:
    form = _filter_form(request, project)
    page = keyset(audit_events(project=project, chosen=_chosen(form)), request)
    rows = [(event, action_words(event.action), changes(event)) for event in page.rows]
    context = {"form": form, "page": page, "rows": rows, "filtered": bool(request.GET)}
    return render(request, "core/audit.html", context | {"layout": layout, "export_url": export_url})


def _log_file(request: HttpRequest, project: Project | None, name: str) -> StreamingHttpResponse:
    events = audit_events(project=project, chosen=_chosen(_filter_form(request, project))).order_by("-id")
    lines = csv_lines(_COLUMNS, _rows(events.iterator(500)))
    return download(request, lines, name=name, content_type="text/csv; charset=utf-8")


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


def _filter_form(request: HttpRequest, project: Project | None) -> AuditFilterForm:
    return AuditFilterForm(request.GET, actions=audit_actions(project))


def _chosen(form: AuditFilterForm) -> AuditFilter:
    """What was filled in and can be read; a field that cannot be read says so and filters nothing."""
    form.is_valid()
    return AuditFilter(**{name: value for name, value in form.cleaned_data.items() if value})
