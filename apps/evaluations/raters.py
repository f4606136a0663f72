"""Who rates: "user:<id>", "key:<id>" or "judge:<slug>" in the rows, names of people and keys on pages."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from apps.core.actor import Actor
from apps.core.errors import Refused
from apps.core.models import ApiKey, User

_PREFIXES = {"user": "user", "api_key": "key"}


def rater_of(by: Actor) -> str:
    """How somebody's votes and ratings are kept. Raises Refused for who is neither a person nor a key."""
    if by.kind not in _PREFIXES:
        raise Refused(f"{by.label} is neither a person nor an API key, so has no vote.")
    return f"{_PREFIXES[by.kind]}:{by.id}"


def rater_names(raters: Iterable[str]) -> dict[str, str]:
    """Rater → the name to show; who is gone is called so. Two queries at most, however many there are."""
    wanted = {rater: rater.partition(":") for rater in raters}
    people = _ids(wanted, "user")
    keys = _ids(wanted, "key")
    users = User.objects.in_bulk(list(people.values())) if people else {}
    named_keys = ApiKey.objects.in_bulk(list(keys.values())) if keys else {}
    names: dict[str, str] = {}
    for rater, (kind, _, rest) in wanted.items():
        if kind == "user":
            user = users.get(people[rater]) if rater in people else None
            names[rater] = (user.name or user.email) if user else "somebody who is gone"
        elif kind == "key":
            key = named_keys.get(keys[rater]) if rater in keys else None
            names[rater] = f"API key “{key.name}”" if key else "an API key that is gone"
        else:
            names[rater] = rest or rater
    return names


def _ids(wanted: dict[str, tuple[str, str, str]], prefix: str) -> dict[str, UUID]:
    found = {}
    for rater, (kind, _, text) in wanted.items():
        if kind == prefix:
            try:
                found[rater] = UUID(text)
            except ValueError:
                continue
    return found
