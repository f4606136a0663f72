"""Which of two outputs stands on the left, for one voter: drawn by a secret seed, the same at each reload."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from apps.evaluations.models import Comparison, EvalItem

_SALT = "llmops.blind-sides"


def in_canonical_order(one: EvalItem, other: EvalItem) -> tuple[EvalItem, EvalItem]:
    """The order in which a pair is kept, whichever of the two is the baseline at the moment."""
    return (one, other) if one.pk < other.pk else (other, one)


def sides(comparison: Comparison, one: EvalItem, other: EvalItem, *, rater: str) -> tuple[EvalItem, EvalItem]:
    """The two items as the voter sees them: "1", then "2".

    The seed is of the comparison, the example, the repetition, the pair and the voter, under the
    installation's secret key: nobody can work it out from what a page shows.
    """
    low, high = in_canonical_order(one, other)
    seed = f"{comparison.pk}/{low.example_id}/{low.repetition}/{low.pk}/{high.pk}/{rater}"
    swapped = salted_hmac(_SALT, seed, algorithm="sha256").digest()[0] & 1
    return (high, low) if swapped else (low, high)
