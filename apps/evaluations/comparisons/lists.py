"""The rows of the list of comparisons: who is better than what, in a line for each candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.evaluations.comparisons.cards import CandidateLine, candidate_lines
from apps.evaluations.comparisons.figures import kept_of_list
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison

MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class ListRow:
    """A comparison with its first candidates; `more` are left out, `error` says why there are no figures."""

    comparison: Comparison
    lines: list[CandidateLine]
    more: int
    error: str


def list_rows(comparisons: Sequence[Comparison]) -> list[ListRow]:
    """One row a comparison, against its own baseline. One query."""
    kept = kept_of_list(comparisons)
    rows = []
    for comparison in comparisons:
        of_it = kept[comparison.pk]
        lines = candidate_lines(comparison_state(comparison, {}), of_it.figures if of_it else None)
        rows.append(
            ListRow(
                comparison=comparison,
                lines=lines[:MOST_LINES],
                more=max(0, len(lines) - MOST_LINES),
                error=of_it.error if of_it else "",
            )
        )
    return rows
