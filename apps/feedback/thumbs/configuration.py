"""How a project takes feedback: kept in its settings, remembered by each process for a few seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.feedback.models import FeedbackSettings
from apps.feedback.thumbs.rules import Rule, rule_read

#: A change is known to every process after so many seconds; in between no vote pays for the question.
REMEMBERED_S = 5.0
MOST_ORIGINS, MOST_REASONS, MOST_TOKEN_HOURS = 50, 12, 24 * 90
ANY = "*"
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_LOWEST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a vote is checked against."""

    is_archived: bool
    allowed_origins: frozenset[str]
    reasons: tuple[str, ...]
    subject_per_minute: int
    address_per_minute: int
    project_per_minute: int
    rule: Rule

    def allows(self, origin: str) -> bool:
        """`origin` as browsers write it; "" (no browser) and our own pages are always allowed."""
        anyway = origin in ("", own_origin()) or ANY in self.allowed_origins
        return anyway or origin in self.allowed_origins


_remembered: dict[UUID, tuple[float, Taking | None]] = {}


def taking_of(project_id: UUID) -> Taking | None:
    """How the project takes feedback; None when there is no such project."""
    known = _remembered.get(project_id)
    if known is not None and time.monotonic() - known[0] < REMEMBERED_S:
        return known[1]
    taking = _taking(project_id)
    if len(_remembered) > 10_000:
        _remembered.clear()
    _remembered[project_id] = (time.monotonic(), taking)
    return taking


def taking_forget() -> None:
    """Ask anew at the next vote, in this process."""
    _remembered.clear()


def _taking(project_id: UUID) -> Taking | None:
    project = Project.objects.filter(pk=project_id).only("archived_at").first()
    if project is None:
        return None
    kept = feedback_settings(project)
    return Taking(
        is_archived=project.archived_at is not None,
        allowed_origins=frozenset(kept.allowed_origins),
        reasons=tuple(kept.reasons),
        subject_per_minute=kept.subject_per_minute,
        address_per_minute=kept.address_per_minute,
        project_per_minute=kept.project_per_minute,
        rule=rule_read(kept.rule),
    )


def feedback_settings(project: Project) -> FeedbackSettings:
    """The project's settings; the defaults, unsaved, where it has none."""
    return FeedbackSettings.objects.filter(pk=project.pk).first() or FeedbackSettings(project=project)


def origin_is_known(origin: str) -> bool:
    """True when some project lets pages of this origin send feedback. For what names no project yet."""
    if origin == own_origin():
        return True
    return FeedbackSettings.objects.filter(allowed_origins__overlap=[origin, ANY]).exists()


def own_origin() -> str:
    """Of our own pages."""
    parts = urlsplit(settings.PUBLIC_URL.lower())
    return f"{parts.scheme}://{parts.netloc}"


def feedback_settings_save(
    *,
    project: Project,
    by: Actor,
    allowed_origins: Sequence[str],
    reasons: Sequence[str],
    token_hours: int,
    subject_per_minute: int,
    address_per_minute: int,
    project_per_minute: int,
    rule: dict[str, Any],
) -> FeedbackSettings:
    """Keep the settings. Raises InvalidInput and InvalidRule with the fields that are wrong.

    A changed rule is applied by the workers to all that is pending.
    """
    checked = {
        "allowed_origins": origins_read(allowed_origins),
        "reasons": _reasons_read(reasons),
        "token_hours": token_hours,
        "subject_per_minute": subject_per_minute,
        "address_per_minute": address_per_minute,
        "project_per_minute": project_per_minute,
        "rule": rule_read(rule).as_json(),
    }
    if not 1 <= token_hours <= MOST_TOKEN_HOURS:
        text = f"A token is good for one to {MOST_TOKEN_HOURS:,} hours."
        raise InvalidInput(text, fields={"token_hours": [text]})
    with transaction.atomic():
        kept, _ = FeedbackSettings.objects.select_for_update().get_or_create(project=project)
        before = {name: getattr(kept, name) for name in checked}
        for name, value in checked.items():
            setattr(kept, name, value)
        if before["rule"] != kept.rule:
            kept.rule_waits_from = _LOWEST_ID if kept.rule else None
        kept.save()
        changed = [name for name in checked if before[name] != checked[name]]
        if changed:
            audit(
                by,
                "feedback_settings.change",
                kept,
                project=project,
                before={name: before[name] for name in changed},
                after={name: checked[name] for name in changed},
            )
    taking_forget()
    return kept


def origins_read(origins: Sequence[str]) -> list[str]:
    """Origins as browsers send them, each once. Raises InvalidInput naming the first that is none."""
    found: list[str] = []
    for typed in origins:
        origin = typed.strip().lower().rstrip("/")
        if not origin:
            continue
        if origin != ANY and not (len(origin) <= 200 and _ORIGIN.fullmatch(origin)):
            text = (
                f"“{typed.strip()[:200]}” is no origin. Write scheme and host, without a path: "
                "https://shop.example"
            )
            raise InvalidInput(text, fields={"allowed_origins": [text]})
        if origin not in found:
            found.append(origin)
    if len(found) > MOST_ORIGINS:
        text = f"Name at most {MOST_ORIGINS} origins."
        raise InvalidInput(text, fields={"allowed_origins": [text]})
    return found


def _reasons_read(reasons: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(reason.strip() for reason in reasons if reason.strip()))
    long = next((reason for reason in found if len(reason) > 60), None)
    if long is not None or len(found) > MOST_REASONS:
        text = f"Give at most {MOST_REASONS} reasons of at most 60 characters."
        raise InvalidInput(text, fields={"reasons": [text]})
    return found
