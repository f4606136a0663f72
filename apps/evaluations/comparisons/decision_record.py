"""What was decided by a comparison, as the history of the prompts' labels keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.models import Comparison
from apps.prompts.models import PromptLabelMove

#: Decisions that the page tells, the newest ones.
MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class DecisionMade:
    """A label that was moved by this comparison. `since` is the label's latest move where that is another."""

    move: PromptLabelMove
    since: PromptLabelMove | None


def decisions_of(comparison: Comparison) -> list[DecisionMade]:
    """The latest decision on each label, newest first, at most MOST_TOLD. Two queries, however many moves."""
    prompts = {run.prompt_version.prompt_id for run in runs_of(comparison) if run.prompt_version is not None}
    moves = PromptLabelMove.objects.filter(prompt__in=prompts)
    same_label = moves.filter(prompt=OuterRef("prompt"), name=OuterRef("name")).order_by("-id")
    decided = (
        moves.filter(evidence__title=f"Comparison #{comparison.number}", to_version__isnull=False)
        .order_by("prompt", "name", "-id")
        .distinct("prompt", "name")
        .annotate(latest=Subquery(same_label.values("pk")[:1]))
        .select_related("prompt", "to_version")
    )
    told = sorted(decided, key=lambda move: move.pk, reverse=True)[:MOST_TOLD]
    others = {move.latest for move in told if move.latest != move.pk}
    latest = moves.select_related("to_version").in_bulk(list(others)) if others else {}
    return [DecisionMade(move, latest.get(move.latest)) for move in told]
