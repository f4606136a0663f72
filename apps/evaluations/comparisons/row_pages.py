"""What the rows' part of a comparison's page shows, for the state that its address says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from apps.core.figures import score
from apps.core.pages import Page
from apps.core.roles import Role
from apps.core.views import ProjectRequest
from apps.evaluations.comparisons.row_comments import comment_counts
from apps.evaluations.comparisons.row_words import RowView, row_view
from apps.evaluations.comparisons.rows import (
    FILTERS,
    PLACES,
    SPLIT,
    ComparedRow,
    RowCounts,
    RowQuery,
    RowsPage,
    compared_rows,
)
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.selectors import MetricSummary, run_metrics

ROWS_A_PAGE = 50
#: Up to here the rows of another text are counted with the page; above, after it, by a request of its own.
COUNTED_AT_ONCE = 20_000
_LABELS = {
    "": "All",
    "worse": "Worse",
    "better": "Better",
    "tied": "Tied",
    "error": "Errors",
    "missing": "Missing",
    "differs": "Other text",
    "unpaired": "Unpaired",
}
_PLACES = {"baseline": "baseline's", "candidate": "candidate's", "change": "change of"}


@dataclass(frozen=True, slots=True)
class FilterLink:
    """One of the filters above the rows; `count` None: it is counted by a request of its own."""

    name: str
    label: str
    count: int | None
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Something that the rows are narrowed to, and the address without it."""

    text: str
    query: str


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """The rows' part of the page. `query` is the address's own, without a cursor."""

    comparison: Comparison
    baseline: EvalRun
    candidate: EvalRun
    metric: MetricSummary | None
    several: bool
    q: str
    filters: list[FilterLink]
    narrowings: list[Narrowing]
    hidden: list[tuple[str, str]]
    rows: list[RowView]
    shown: int | None
    page: Page
    query: str
    address: str
    reload: str
    filtered: bool


def shared_metrics(state: ComparisonState) -> list[MetricSummary]:
    """The metrics of items that both runs have, in the baseline's order. Two queries."""
    theirs = {(metric.name, metric.source) for metric in run_metrics(state.candidate)}
    return [
        metric
        for metric in run_metrics(state.baseline)
        if not metric.of_run and (metric.name, metric.source) in theirs
    ]


def chosen_metric(state: ComparisonState, metrics: Sequence[MetricSummary]) -> MetricSummary | None:
    """The metric that the address names, else the primary one, else the first; None without any."""
    wanted, source = state["metric"], state["source"]
    named = [metric for metric in metrics if metric.name == wanted and source in ("", metric.source)]
    primary = [metric for metric in metrics if metric.name == state.comparison.primary_metric]
    return next(iter([*named, *primary, *metrics]), None)


def row_query(state: ComparisonState, metric: MetricSummary | None) -> RowQuery:
    """What the address asks of the rows; what cannot be read in it is left out."""
    return RowQuery(
        baseline=state.baseline.pk,
        candidate=state.candidate.pk,
        metric=metric.name if metric else "",
        source=metric.source if metric else "evaluator",
        direction=metric.direction if metric else "",
        show=state["show"] if state["show"] in FILTERS else "",
        q=state["q"],
        slice=state["slice"] if state["value"] else "",
        value=state["value"],
        on=state["on"] if state["on"] in PLACES else "",
        low=_number(state["low"]),
        high=_number(state["high"]),
        across=state.baseline.dataset_version_id != state.candidate.dataset_version_id,
    )


def settled_state(state: ComparisonState, query: RowQuery) -> str:
    """What the rows of two long runs are made of; "" where it may change, or where asking is quick.

    The scores of a run that has ended change with a new end of it, but for those that people give. What
    people narrow to by texts and numbers of their own is not kept.
    """
    runs = (state.baseline, state.candidate)
    ends = [f"{run.pk}@{run.finalized_at.isoformat()}" for run in runs if run.finalized_at is not None]
    free = query.q or query.value or query.on  # without end: they would fill the cache
    if len(ends) < len(runs) or query.source == "human" or free or not _is_long(state):
        return ""
    return "|".join(ends)


def _is_long(state: ComparisonState) -> bool:
    return max(state.baseline.total, state.candidate.total) > COUNTED_AT_ONCE


def rows_context(request: ProjectRequest, state: ComparisonState) -> dict[str, Any]:
    """What `evaluations/_comparison_rows.html` needs, for the detail page and for the fragment alone.

    A fixed number of queries, however many rows and runs there are.
    """
    metrics = shared_metrics(state)
    metric = chosen_metric(state, metrics)
    query = row_query(state, metric)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    found = compared_rows(
        query,
        after=after,
        before=before,
        size=ROWS_A_PAGE,
        count_texts=not _is_long(state),
        state=settled_state(state, query),
    )
    compared = ComparedPage(
        comparison=state.comparison,
        baseline=state.baseline,
        candidate=state.candidate,
        metric=metric,
        several=len(metrics) > 1,
        q=query.q,
        filters=_filters(state, query, found.counts),
        narrowings=_narrowings(state, query, metric),
        hidden=[(name, str(text)) for name, text in QueryDict(state.query(q="")).items()],
        rows=_row_views(state, query, metrics, found.rows),
        shown=getattr(found.counts, query.show or "total"),
        page=_page(state, found),
        query=state.query(),
        address=_address(state),
        reload=_with_cursor(state, after=after, before=before),
        filtered=bool(query.q or query.show or query.slice or query.on),
    )
    return {
        "compared": compared,
        "may_comment": request.actor.may(Role.ANNOTATOR),
        "may_collect": request.actor.may(Role.EDITOR),
    }


def _row_views(
    state: ComparisonState, query: RowQuery, metrics: Sequence[MetricSummary], rows: Sequence[ComparedRow]
) -> list[RowView]:
    comments = comment_counts(state.comparison, {row.item.example_id for row in rows})
    columns = state.baseline.dataset_version.columns.get("inputs", [])
    return [row_view(row, query, metrics, columns, comments.get(row.item.example_id, 0)) for row in rows]


def _page(state: ComparisonState, found: RowsPage) -> Page:
    return Page(
        rows=found.rows,
        next_url=_with_cursor(state, after=found.next) if found.next else None,
        previous_url=_with_cursor(state, before=found.previous) if found.previous else None,
        size=ROWS_A_PAGE,
    )


def _address(state: ComparisonState) -> str:
    comparison = state.comparison
    return reverse("evaluations:comparison-detail", args=[comparison.project.slug, comparison.number])


def _with_cursor(state: ComparisonState, **cursors: str) -> str:
    address = QueryDict(state.query(), mutable=True)
    for name, cursor in cursors.items():
        if cursor:
            address[name] = cursor
    return address.urlencode()


def _filters(state: ComparisonState, query: RowQuery, counts: RowCounts) -> list[FilterLink]:
    """All, and each filter that finds something, is chosen, or is what one looks for first."""
    links = []
    for name in ("", *FILTERS):
        count = getattr(counts, name or "total")
        always = name == "" or (query.judged and name in ("worse", "better"))
        if always or name == query.show or count is None or count:
            link = FilterLink(name, _LABELS[name], count, state.query(show=name), name == query.show)
            links.append(link)
    return links


def _narrowings(state: ComparisonState, query: RowQuery, metric: MetricSummary | None) -> list[Narrowing]:
    found = []
    if query.slice:
        name = "split" if query.slice == SPLIT else query.slice
        found.append(Narrowing(f"{name}: {query.value}", state.query(slice="", value="")))
    if query.on and (query.low is not None or query.high is not None):
        title = metric.title if metric else "score"
        text = f"{_PLACES[query.on]} {title} {_range(query.low, query.high)}"
        found.append(Narrowing(text, state.query(on="", low="", high="")))
    if query.q:
        found.append(Narrowing(f"“{query.q}”", state.query(q="")))
    return found


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"under {score(high)}"
    if high is None:
        return f"{score(low)} or more"
    return score(low) if low == high else f"{score(low)} to under {score(high)}"


def _number(text: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None
