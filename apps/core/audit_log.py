"""Reading the audit log: what was done, in words, field by field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.models import AuditEvent, Project


@dataclass(frozen=True)
class Change:
    """One field as it was and as it became; None where it was not there."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class AuditFilter:
    action: str = ""
    actor: str = ""
    target: str = ""
    since: date | None = None
    until: date | None = None


def audit_events(*, project: Project | None, chosen: AuditFilter | None = None) -> QuerySet[AuditEvent]:
    """The project's events that pass the filter, unordered; with None, those that belong to no project.

    Days are whole days, both ends included.
    """
    events, chosen = AuditEvent.objects.filter(project=project), chosen or AuditFilter()
    if chosen.action:
        events = events.filter(action=chosen.action)
    if chosen.actor:
        events = events.filter(actor_label__icontains=chosen.actor)
    if chosen.target:
        events = events.filter(
            Q(target_label__icontains=chosen.target) | Q(target_type__icontains=chosen.target)
        )
    if chosen.since:
        events = events.filter(created_at__gte=_midnight(chosen.since))
    if chosen.until and chosen.until < date.max:
        events = events.filter(created_at__lt=_midnight(chosen.until + timedelta(days=1)))
    return events


def audit_actions(project: Project | None) -> list[str]:
    """The kinds of action that the log of the project (None: of the accounts) holds, by name."""
    return sorted(AuditEvent.objects.filter(project=project).values_list("action", flat=True).distinct())


def action_words(action: str) -> str:
    """ "prompt_version.create" as "Prompt version: create"."""
    subject, _, verb = action.replace("_", " ").partition(".")
    subject = subject[:1].upper() + subject[1:]
    if subject.startswith("Api "):
        subject = f"API {subject[4:]}"
    return f"{subject}: {verb}" if verb else subject


def changes(event: AuditEvent) -> list[Change]:
    """What differs between before and after, a line for each field; nested fields as "parameters › model"."""
    before, after = _flat(event.before), _flat(event.after)
    fields = [*before, *(field for field in after if field not in before)]
    return [
        Change(field, before.get(field), after.get(field))
        for field in fields
        if before.get(field) != after.get(field)
    ]


def changes_text(event: AuditEvent) -> str:
    """The same in one line, for a table cell of an export."""
    lines = []
    for change in changes(event):
        if change.before is None:
            lines.append(f"{change.field}: {change.after}")
        elif change.after is None:
            lines.append(f"{change.field}: was {change.before}")
        else:
            lines.append(f"{change.field}: {change.before} → {change.after}")
    return "; ".join(lines)


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        flat: dict[str, str] = {}
        for key, item in value.items():
            name = str(key).replace("_", " ")
            flat |= _flat(item, f"{path} › {name}" if path else name)
        return flat
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        flat = {}
        for number, item in enumerate(value, start=1):
            flat |= _flat(item, f"{path} {number}".strip())
        return flat
    return {} if value is None else {path or "value": _words(value)}


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
