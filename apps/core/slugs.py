"""Slugs: the part of a URL that is made from a name once, and never changes."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import QuerySet
from django.utils.text import slugify

from apps.core.errors import InvalidInput

SLUG_RE = re.compile(r"^[a-z0-9](?:[a-z0-9_-]{0,78}[a-z0-9])?\Z")


def clean_slug(slug: str) -> str:
    """The slug as given, if it may be one; InvalidInput otherwise."""
    if not SLUG_RE.match(slug):
        raise InvalidInput(
            f"{slug!r} cannot be a slug: use lower-case letters, digits, - and _, at most 80.",
            fields={"slug": ["Use lower-case letters, digits, - and _, at most 80."]},
        )
    return slug


def unique_slug(queryset: QuerySet[Any], name: str, max_length: int = 80) -> str:
    """A slug made from `name` that no row of `queryset` has yet."""
    base = slugify(name)[: max_length - 6].strip("-_") or "untitled"
    taken = set(queryset.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
