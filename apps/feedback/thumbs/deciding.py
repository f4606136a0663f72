"""Letting feedback through to training, or keeping it out: by a person, for one, many, or all that match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.feedback.models import Feedback

#: Rows that one decision takes at once; whoever chose more decides again.
MOST_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Decided:
    """How many rows were changed, and whether more are left that match."""

    count: int
    more: bool


def feedback_decide(
    *,
    project: Project,
    by: Actor,
    state: str,
    ids: Sequence[UUID] | None = None,
    chosen: QuerySet[Feedback] | None = None,
    told: str = "",
) -> Decided:
    """Set the state of these rows, or of all that `chosen` matches, up to MOST_AT_ONCE of them.

    `told` describes the choice for the audit log ("all thumbs down of March"). Withdrawn feedback stays as it
    is, and what has the state already. Raises InvalidInput for an unknown state.
    """
    if state not in Feedback.State.values:
        text = f"“{state[:40]}” is no state of feedback; there are {', '.join(Feedback.State.values)}."
        raise InvalidInput(text, fields={"state": [text]})
    matching = Feedback.objects.all() if chosen is None else chosen
    if ids is not None:
        matching = matching.filter(pk__in=list(ids)[:MOST_AT_ONCE])
    matching = matching.filter(project=project, withdrawn_at=None).exclude(state=state)
    with transaction.atomic():
        rows = Feedback.objects.filter(pk__in=matching.order_by("-id").values("pk")[:MOST_AT_ONCE])
        count = rows.update(
            state=state,
            decided_by="" if state == Feedback.State.PENDING else f"{_kind(by)}:{by.id}",
            decided_at=None if state == Feedback.State.PENDING else timezone.now(),
        )
        if count:
            which = {"ids": [str(id) for id in list(ids)[:100]]} if ids is not None else {"chosen": told}
            audit(
                by,
                "feedback.decide",
                project,
                project=project,
                after={"state": state, "count": count, **which},
            )
    return Decided(count, more=count == MOST_AT_ONCE)


def _kind(by: Actor) -> str:
    return "key" if by.kind == "api_key" else by.kind
