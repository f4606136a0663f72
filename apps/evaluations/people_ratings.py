"""Votes and ratings of people on results, and the scores that follow: the one place that writes them.

In the caller's transaction; who calls says what is audited.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from apps.evaluations.blind.sides import in_canonical_order
from apps.evaluations.models import EvalItem, ItemScore, PairVote
from apps.evaluations.rater_scores import HUMAN, ratings_changed

#: The metric that a vote is a score of: 1 for the better output, 0.5 for a tie, 0 for the other.
PREFERENCE = "preference"
_WORTH = {
    PairVote.Winner.ITEM: (1.0, 0.0),
    PairVote.Winner.OTHER: (0.0, 1.0),
    PairVote.Winner.TIE: (0.5, 0.5),
}


def pair_locked(one: EvalItem, other: EvalItem) -> tuple[EvalItem, EvalItem] | None:
    """Both results in canonical order, locked in one order, so that votes on them come one by one.

    None where one of them is gone or has no answer any more.
    """
    items = list(
        EvalItem.objects.select_for_update(no_key=True, of=("self",))
        .select_related("run")
        .filter(pk__in=[one.pk, other.pk])
        .order_by("pk")
    )
    if len(items) < 2 or any(item.status != EvalItem.Status.COMPLETED for item in items):
        return None
    return in_canonical_order(*items)


def pair_vote_of(low: EvalItem, high: EvalItem, rater: str) -> PairVote:
    """The person's vote on the pair, or a new one, unsaved."""
    kept = PairVote.objects.filter(item=low, other_item=high, evaluator_version=None, rater=rater).first()
    return kept or PairVote(item=low, other_item=high, rater=rater, source=PairVote.Source.HUMAN)


def side_of(chosen: EvalItem | None, low: EvalItem) -> PairVote.Winner:
    """Where the chosen result stands in the pair's canonical order; None is a tie."""
    if chosen is None:
        return PairVote.Winner.TIE
    return PairVote.Winner.ITEM if chosen.pk == low.pk else PairVote.Winner.OTHER


def pair_vote_save(vote: PairVote, low: EvalItem, high: EvalItem) -> None:
    """Keep the vote; both results get the mean of the voter's votes on them as a score."""
    vote.save()
    _preferences_follow([low, high], vote.rater)


def pair_vote_delete(vote: PairVote, low: EvalItem, high: EvalItem) -> None:
    """Take the vote back; the scores follow."""
    vote.delete()
    _preferences_follow([low, high], vote.rater)


def rating_set(
    item: EvalItem, *, metric: str, rater: str, value: float | None, label: str = "", detail: str = ""
) -> None:
    """Keep a person's rating of a result in place of their earlier one."""
    ItemScore.objects.update_or_create(
        item=item,
        evaluator_version=None,
        metric=metric,
        source=HUMAN,
        rater=rater,
        defaults={"value": value, "label": label[:200], "detail": detail},
    )
    ratings_changed([item.run_id])


def ratings_remove(item: EvalItem, *, metrics: list[str], rater: str) -> None:
    """Take a person's ratings of a result away; no-op where there are none."""
    gone, _ = ItemScore.objects.filter(
        item=item, evaluator_version=None, metric__in=metrics, source=HUMAN, rater=rater
    ).delete()
    if gone:
        ratings_changed([item.run_id])


def _preferences_follow(items: list[EvalItem], rater: str) -> None:
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
    ratings_changed([item.run_id for item in items])
