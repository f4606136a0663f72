"""Votes of people (and of keys that import them) on pairs of outputs, and the scores that follow."""

from __future__ import annotations

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.errors import ResultNotFound
from apps.evaluations.models import Comparison, EvalItem, PairVote
from apps.evaluations.people_ratings import (
    PREFERENCE,
    pair_locked,
    pair_vote_delete,
    pair_vote_of,
    pair_vote_save,
    side_of,
)
from apps.evaluations.raters import rater_of

__all__ = ["LONGEST_REASON", "PREFERENCE", "PairGone", "pair_vote_cast", "pair_vote_withdraw"]

LONGEST_REASON = 4_000


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
        vote = pair_vote_of(low, high, rater)
        before = None if vote.pk is None else _told(vote, low, high)
        vote.winner = side_of(winner, low)
        vote.both_bad = False
        vote.shown_first = "" if shown_first is None else side_of(shown_first, low)
        vote.reason = reason.strip()
        after = _told(vote, low, high)
        if before == after:  # a second click
            return vote
        pair_vote_save(vote, low, high)
        verb = "pair_vote.cast" if before is None else "pair_vote.change"
        audit(by, verb, comparison, project=comparison.project, before=before, after=after)
    return vote


def pair_vote_withdraw(*, comparison: Comparison, by: Actor, one: EvalItem, other: EvalItem) -> None:
    """Take `by`'s vote between two outputs back; no-op where there is none. The audit log keeps what it was.

    The scores of both items follow: without another vote of the voter they go. Raises what
    `pair_vote_cast` raises.
    """
    rater = rater_of(by)
    with transaction.atomic():
        low, high = _locked(comparison, one, other)
        vote = pair_vote_of(low, high, rater)
        if vote.pk is None:
            return
        before = _told(vote, low, high)
        pair_vote_delete(vote, low, high)
        audit(by, "pair_vote.withdraw", comparison, project=comparison.project, before=before)


def _locked(comparison: Comparison, one: EvalItem, other: EvalItem) -> tuple[EvalItem, EvalItem]:
    """Both items, locked in one order, so that votes on them come one by one."""
    found = pair_locked(one, other)
    if found is None:
        raise PairGone(f"{one.example_key} has no answer of both runs any more. Your vote was not needed.")
    runs = {run.pk for run in runs_of(comparison)}
    places = {(item.example_id, item.repetition) for item in found}
    if len(places) > 1 or len({item.run_id for item in found} & runs) < 2:
        raise InvalidInput("These are not two runs' outputs of one example of this comparison.")
    return found


def _told(vote: PairVote, low: EvalItem, high: EvalItem) -> dict[str, str | int]:
    """The vote as the audit log tells it."""
    named = {PairVote.Winner.ITEM: low.run.name, PairVote.Winner.OTHER: high.run.name}
    told: dict[str, str | int] = {
        "example": low.example_key,
        "between": f"{low.run.name} and {high.run.name}",
        "preferred": named.get(
            PairVote.Winner(vote.winner), "neither (both bad)" if vote.both_bad else "neither (a tie)"
        ),
        "reason": vote.reason,
    }
    return told if low.repetition == 1 else told | {"repetition": low.repetition}
