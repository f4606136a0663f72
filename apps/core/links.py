"""One-time links: made, found by their token, used up, voided. Only the token's hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from apps.core.errors import ProductError
from apps.core.models import OneTimeLink

Purpose = OneTimeLink.Purpose


class LinkNotValid(ProductError):
    """The link was used, has expired, was replaced by a newer one, or never was."""

    code = "link_not_valid"
    title = "This link is not valid any more"
    status = 404


_ASK_AGAIN = {
    Purpose.FIRST_ADMIN: "Start the stack again: it prints a new link.",
    Purpose.INVITATION: "Ask an admin of the project to invite you again.",
    Purpose.PASSWORD_RESET: "Ask an admin for a new reset link.",
}


def link_create(purpose: OneTimeLink.Purpose, *, lasts: timedelta, **fields: Any) -> tuple[OneTimeLink, str]:
    """Make a link; returns its row and the token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    row = OneTimeLink.objects.create(
        purpose=purpose, token_hash=_hash(token), expires_at=timezone.now() + lasts, **fields
    )
    return row, token


def open_links(purpose: OneTimeLink.Purpose) -> QuerySet[OneTimeLink]:
    """Links of one purpose that can still be used."""
    return OneTimeLink.objects.filter(purpose=purpose, used_at=None, expires_at__gt=timezone.now())


def link_get(purpose: OneTimeLink.Purpose, token: str, *, lock: bool = False) -> OneTimeLink:
    """The open link with this token. Raises LinkNotValid.

    With `lock` (inside a transaction) a second holder of the same link waits, and then finds it used.
    """
    links = open_links(purpose)
    if lock:
        links = links.select_for_update(of=("self",))
    link = links.select_related("project", "user").filter(token_hash=_hash(token)).first()
    if link is None:
        raise LinkNotValid(f"It was used already, has expired or was replaced. {_ASK_AGAIN[purpose]}")
    return link


def link_use(link: OneTimeLink) -> None:
    link.used_at = timezone.now()
    link.save(update_fields=["used_at"])


def links_void(links: QuerySet[OneTimeLink]) -> int:
    """End links before their time; the number of them. Their rows go: nothing else points to them."""
    count, _ = links.delete()
    return count


def _hash(token: str) -> str:
    # 256 random bits cannot be searched, so a plain hash is enough.
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
