"""What the workers do with feedback by themselves: looking at new votes, and applying a changed rule."""

from __future__ import annotations

import time

from django.db import transaction

from apps.feedback.models import Feedback, FeedbackSettings
from apps.feedback.thumbs.flags import votes_look
from apps.feedback.thumbs.rules import rule_apply, rule_read

#: A sweep is short: what is left waits for the next one.
WITHIN_S = 5.0
_AT_ONCE = 1000


def feedback_upkeep() -> None:
    """For a few seconds, until nothing is left."""
    ends = time.monotonic() + WITHIN_S
    while time.monotonic() < ends and (votes_look() or rule_step()):
        pass


def rule_step() -> int:
    """Apply one changed rule to the next pending votes of its project; how many were looked at, 0 when no
    changed rule waits."""
    with transaction.atomic():
        waiting = FeedbackSettings.objects.filter(rule_waits_from__isnull=False)
        kept = waiting.select_for_update(skip_locked=True).order_by("pk").first()
        if kept is None:
            return 0
        pending = Feedback.objects.filter(
            project_id=kept.pk, state=Feedback.State.PENDING, withdrawn_at=None, pk__gt=kept.rule_waits_from
        )
        ids = list(pending.order_by("id").values_list("pk", flat=True)[:_AT_ONCE])
        if ids:
            rule_apply(project_id=kept.pk, rule=rule_read(kept.rule), ids=ids)
        kept.rule_waits_from = ids[-1] if len(ids) == _AT_ONCE else None
        kept.save(update_fields=["rule_waits_from"])
        return max(1, len(ids))
