"""API keys: made, shown once, hashed, checked, revoked."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput, Refused
from apps.core.models import ApiKey, Project
from apps.core.roles import Role

KEY_PREFIX = "llmops_"
#: Last use is written at most this often, so that a busy key does not become a hot row.
LAST_USE_STEP = timedelta(minutes=1)


@dataclass(frozen=True)
class ApiKeyPrincipal:
    """What a request with a valid key acts as; takes the place of a user in REST views."""

    project: Project
    actor: Actor
    role_name: str
    is_authenticated: bool = True


def api_key_create(
    *, project: Project, by: Actor, name: str, role: Role, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which is kept nowhere."""
    if not by.may(role):
        own = by.role.label if by.role else "none"
        raise Refused(f"You cannot make a key with the role {role.label}: yours is {own}.")
    name = name.replace("\x00", "")
    if not name.strip():
        raise InvalidInput(
            "Give the key a name that says who will use it.", fields={"name": ["Give a name."]}
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput(
            "The key would have expired already.", fields={"expires_at": ["Choose a later time."]}
        )
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        row = ApiKey.objects.create(
            project=project,
            name=name.strip()[:120],
            role=role,
            prefix=key[:12],
            key_hash=_hash(key),
            expires_at=expires_at,
            made_by=by.label,
        )
        audit(by, "api_key.create", row, project=project, after={"name": row.name, "role": role.label})
    return row, key


def api_key_revoke(*, project: Project, by: Actor, key: ApiKey) -> None:
    """End a key at once; ending it twice changes nothing."""
    with transaction.atomic():
        ended = ApiKey.objects.filter(project=project, pk=key.pk, revoked_at=None).update(
            revoked_at=timezone.now()
        )
        if ended:
            audit(
                by, "api_key.revoke", key, project=project, before={"name": key.name, "role": key.role_name}
            )


def api_key_principal(key: str, *, address: str = "") -> ApiKeyPrincipal | None:
    """What the key stands for, or None when it is unknown, expired or revoked."""
    now = timezone.now()
    row = (
        ApiKey.objects.select_related("project")
        .filter(key_hash=_hash(key), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if row is None:
        return None
    if row.last_used_at is None or row.last_used_at < now - LAST_USE_STEP:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    role = Role(row.role)
    actor = Actor(kind="api_key", id=str(row.pk), label=row.name, role=role, address=address[:64])
    return ApiKeyPrincipal(project=row.project, actor=actor, role_name=role.label)


def _hash(key: str) -> str:
    # The key holds 256 random bits, so a plain hash cannot be searched; no slow hash is needed.
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
