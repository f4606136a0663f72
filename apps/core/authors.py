"""Who made a row: as a person who can be told of it, or as the doer of what comes of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core.actor import Actor
from apps.core.models import ApiKey, AuthoredModel, Membership, Project, User


def actor_of(row: AuthoredModel) -> Actor:
    """Whoever made the row, to do further things in their name."""
    kinds: dict[str, Any] = {"user": "user", "api_key": "api_key"}
    return Actor(kind=kinds.get(row.author_kind, "system"), id=row.author_id, label=row.author_label)


def author_of(row: AuthoredModel, project: Project) -> User | None:
    """Whoever made it, or made the key that did, while they may still see the project."""
    user = None
    author = _uuid(row.author_id)
    if author is None:
        return None
    if row.author_kind == "user":
        user = User.objects.filter(pk=author, is_active=True).first()
    elif row.author_kind == "api_key":
        key = ApiKey.objects.filter(project=project, pk=author).first()
        user = User.objects.filter(email__iexact=key.made_by, is_active=True).first() if key else None
    if user is None:
        return None
    may_see = user.is_superuser or Membership.objects.filter(project=project, user=user).exists()
    return user if may_see else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
