"""Writing the audit log: called inside the transaction of the service whose work it tells of."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.core.actor import Actor
from apps.core.models import AuditEvent, Project


def audit(
    by: Actor,
    action: str,
    target: models.Model,
    *,
    project: Project | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEvent:
    """Record that `by` did `action` ("prompt_version.create") to `target`.

    `before` and `after` hold JSON values of what changed, and never a secret.
    """
    return AuditEvent.objects.create(
        project=project,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_label=by.label[:254],
        address=by.address,
        action=action,
        target_type=target._meta.label_lower,
        target_id=str(target.pk),
        target_label=str(target)[:254],
        before=before,
        after=after,
    )
