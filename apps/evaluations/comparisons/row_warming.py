"""The first page of rows of long runs, found before anybody waits for it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from apps.evaluations.comparisons.row_pages import (
    ROWS_A_PAGE,
    chosen_metric,
    row_query,
    settled_state,
    shared_metrics,
)
from apps.evaluations.comparisons.rows import compared_rows
from apps.evaluations.comparisons.selectors import comparison_get, runs_of
from apps.evaluations.comparisons.state import comparison_state
from apps.evaluations.models import Comparison


def first_pages_keep(comparison_id: UUID, baseline_id: UUID) -> int:
    """Find the page that each candidate opens with against the baseline; returns how many there were.

    Only for runs whose rows are long in coming, and as they are now: see `settled_state`.
    """
    found = Comparison.objects.select_related("project").filter(pk=comparison_id).first()
    if found is None:
        return 0
    comparison = comparison_get(project=found.project, id=comparison_id)
    numbers = {run.pk: str(run.number) for run in runs_of(comparison)}
    if baseline_id not in numbers:
        return 0
    opened = comparison_state(comparison, {"baseline": numbers[baseline_id]})
    kept = 0
    for candidate in opened.candidates:
        state = replace(opened, candidate=candidate)
        query = row_query(state, chosen_metric(state, shared_metrics(state)))
        settled = settled_state(state, query)
        if settled:
            compared_rows(query, size=ROWS_A_PAGE, count_texts=False, state=settled)
            kept += 1
    return kept
