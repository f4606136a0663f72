"""Votes of people (and of keys that import them) on pairs of outputs, and the scores that follow."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.evaluations.blind.sides import in_canonical_order
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.errors import ResultNotFound
from apps.evaluations.models import Comparison, EvalItem, ItemScore, PairVote
from apps.evaluations.rater_scores import ratings_changed
from apps.evaluations.raters import rater_of

#: The metric that a vote is a score of: 1 for the better output, 0.5 for a tie, 0 for the other.
PREFERENCE = "preference"
LONGEST_REASON = 4_000
_WORTH = {
    PairVote.Winner.ITEM: (1.0, 0.0),
    PairVote.Winner.OTHER: (0.0, 1.0),
    PairVote.Winner.TIE: (0.5, 0.5),
}


class PairGone(ResultNotFound):
    """One of the outputs is not there any more, or has no answer any more."""

    code = "pair_gone"
    title = "This row is gone"


def pair_vote_cast(
    *,
    comparison: Comparison,
    by: Actor,
    one: EvalItem,
    other: EvalItem,
    winner: EvalItem | None,
    shown_first: EvalItem | None = None,
    reason: str = "",
) -> PairVote:
    """Keep `by`'s choice between two outputs of one example: `winner`, or None for a tie.

    The pair is kept in one order whichever run is the baseline, and a second vote of the same voter takes
    the place of the first. Both items get a score of source "human": the mean of the voter's votes on them.
    Raises PairGone, and InvalidInput for outputs that are no pair of this comparison.
    """
    rater = rater_of(by)
    if len(reason) > LONGEST_REASON:
        text = f"A reason has at most {LONGEST_REASON:,} characters."
        raise InvalidInput(text, fields={"reason": [text]})
    with transaction.atomic():
        low, high = _locked(comparison, one, other)
        vote = _vote_of(low, high, rater)
        before = None if vote.pk is None else _told(vote, low, high)
        vote.winner = _side(winner, low)
        vote.shown_first = "" if shown_first is None else _side(shown_first, low)
        vote.reason = reason.strip()
        after = _told(vote, low, high)
        if before == after:  # a second click
            return vote
        vote.save()
        _scores_follow([low, high], rater)
        verb = "pair_vote.cast" if before is None else "pair_vote.change"
        audit(by, verb, comparison, project=comparison.project, before=before, after=after)
        ratings_changed([low.run_id, high.run_id])
    return vote


def pair_vote_withdraw(*, comparison: Comparison, by: Actor, one: EvalItem, other: EvalItem) -> None:
    """Take `by`'s vote between two outputs back; no-op where there is none. The audit log keeps what it was.

    The scores of both items follow: without another vote of the voter they go. Raises what
    `pair_vote_cast` raises.
    """
    rater = rater_of(by)
    with transaction.atomic():
        low, high = _locked(comparison, one, other)
        vote = _vote_of(low, high, rater)
        if vote.pk is None:
            return
        before = _told(vote, low, high)
        vote.delete()
        _scores_follow([low, high], rater)
        audit(by, "pair_vote.withdraw", comparison, project=comparison.project, before=before)
        ratings_changed([low.run_id, high.run_id])


def _vote_of(low: EvalItem, high: EvalItem, rater: str) -> PairVote:
    """The voter's vote on the pair, or a new one, unsaved."""
    kept = PairVote.objects.filter(item=low, other_item=high, evaluator_version=None, rater=rater).first()
    return kept or PairVote(item=low, other_item=high, rater=rater, source=PairVote.Source.HUMAN)


def _locked(comparison: Comparison, one: EvalItem, other: EvalItem) -> tuple[EvalItem, EvalItem]:
    """Both items, locked in one order, so that votes on them come one by one."""
    items = (
        EvalItem.objects.select_for_update(no_key=True, of=("self",))
        .select_related("run")
        .filter(pk__in=[one.pk, other.pk])
        .order_by("pk")
    )
    found = list(items)
    if len(found) < 2 or any(item.status != EvalItem.Status.COMPLETED for item in found):
        raise PairGone(f"{one.example_key} has no answer of both runs any more. Your vote was not needed.")
    runs = {run.pk for run in runs_of(comparison)}
    places = {(item.example_id, item.repetition) for item in found}
    if len(places) > 1 or len({item.run_id for item in found} & runs) < 2:
        raise InvalidInput("These are not two runs' outputs of one example of this comparison.")
    return in_canonical_order(*found)


def _side(chosen: EvalItem | None, low: EvalItem) -> PairVote.Winner:
    if chosen is None:
        return PairVote.Winner.TIE
    return PairVote.Winner.ITEM if chosen.pk == low.pk else PairVote.Winner.OTHER


def _told(vote: PairVote, low: EvalItem, high: EvalItem) -> dict[str, str | int]:
    """The vote as the audit log tells it."""
    named = {PairVote.Winner.ITEM: low.run.name, PairVote.Winner.OTHER: high.run.name}
    told: dict[str, str | int] = {
        "example": low.example_key,
        "between": f"{low.run.name} and {high.run.name}",
        "preferred": named.get(PairVote.Winner(vote.winner), "neither (a tie)"),
        "reason": vote.reason,
    }
    return told if low.repetition == 1 else told | {"repetition": low.repetition}


def _scores_follow(items: list[EvalItem], rater: str) -> None:
    """Each item's score by this voter: the mean over the pairs that the voter saw it in."""
    votes = PairVote.objects.filter(
        Q(item__in=items) | Q(other_item__in=items), rater=rater, source=PairVote.Source.HUMAN
    )
    worth: dict[object, list[float]] = {item.pk: [] for item in items}
    reasons: dict[object, str] = {}
    for vote in votes.order_by("created_at"):
        values = _WORTH[PairVote.Winner(vote.winner)]
        for item_id, value in zip((vote.item_id, vote.other_item_id), values, strict=True):
            if item_id in worth:
                worth[item_id].append(value)
                reasons[item_id] = vote.reason or reasons.get(item_id, "")
    # Each score counts in its run's tally: all take the tallies in one order, so that none waits in a ring.
    for item in sorted(items, key=lambda item: item.run_id):
        found = worth[item.pk]
        own: dict[str, Any] = {"metric": PREFERENCE, "source": PairVote.Source.HUMAN, "rater": rater}
        if not found:
            ItemScore.objects.filter(item=item, evaluator_version=None, **own).delete()
            continue
        ItemScore.objects.update_or_create(
            item=item,
            evaluator_version=None,
            **own,
            defaults={"value": sum(found) / len(found), "detail": reasons[item.pk]},
        )
