"""The policy of a project: reading and changing it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.training.measuring.findings import Policy
from apps.training.models import ModelPolicy

MOST_POINTS = 100.0
MOST_SLICE_ROWS = 1_000_000


def policy_of(project: Project) -> Policy | None:
    """None for a project without one."""
    row = ModelPolicy.objects.filter(project=project).first()
    if row is None:
        return None
    return Policy(row.must_beat, row.most_lost_on_slice, row.least_slice_rows, row.slices_shown)


def policy_set(*, project: Project, by: Actor, policy: Policy) -> Policy:
    """Ask this of every version that is measured from now on. Raises InvalidInput at the wrong field."""
    _check(policy)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one change at a time
        before = policy_of(project)
        row, _ = ModelPolicy.objects.update_or_create(
            project=project, defaults={**asdict(policy), **ModelPolicy.author_fields(by)}
        )
        audit(by, "model_policy.set", row, project=project, before=_audited(before), after=asdict(policy))
    return policy


def policy_clear(*, project: Project, by: Actor) -> None:
    """Ask nothing any more; what was judged stays judged."""
    with transaction.atomic():
        row = ModelPolicy.objects.select_for_update().filter(project=project).first()
        if row is not None:
            audit(by, "model_policy.clear", row, project=project, before=_audited(policy_of(project)))
            row.delete()


def _check(policy: Policy) -> None:
    if policy.must_beat not in ModelPolicy.MustBeat.values:
        raise InvalidInput("Choose one.", fields={"must_beat": ["Choose one of the conditions."]})
    most = policy.most_lost_on_slice
    if most is not None and not 0 <= most <= MOST_POINTS:  # not a number is refused too
        text = f"Points go from 0 to {MOST_POINTS:g}."
        raise InvalidInput(text, fields={"most_lost_on_slice": [text]})
    if not 1 <= policy.least_slice_rows <= MOST_SLICE_ROWS:
        text = f"Rows go from 1 to {MOST_SLICE_ROWS:,}."
        raise InvalidInput(text, fields={"least_slice_rows": [text]})


def _audited(policy: Policy | None) -> dict[str, Any] | None:
    return asdict(policy) if policy else None
