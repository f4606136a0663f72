"""The query of a comparison's rows over REST, read strictly: what the pages leave out is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.core.errors import InvalidInput
from apps.evaluations.comparisons.row_pages import chosen_metric, shared_metrics
from apps.evaluations.comparisons.rows import FILTERS, PLACES, SPLIT
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import LONGEST, ComparisonState, comparison_state
from apps.evaluations.models import Comparison
from apps.evaluations.selectors import MetricSummary

PAGE, LARGEST_PAGE = 50, 200
_RUNS = ("baseline", "candidate")
_LIMIT = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}

ROW_PARAMETERS = [
    OpenApiParameter(
        "cursor", OpenApiTypes.STR, description="From `next` or `previous` of an earlier answer."
    ),
    OpenApiParameter("limit", _LIMIT, description=f"Rows a page, 1 to {LARGEST_PAGE}."),
    OpenApiParameter("baseline", UUID, description="A run of the comparison; its own baseline by default."),
    OpenApiParameter("candidate", UUID, description="Another run of it; the first candidate by default."),
    OpenApiParameter("metric", str, description="What the rows are judged by; the primary one by default."),
    OpenApiParameter("source", str, description="Where its scores come from, where that is ambiguous."),
    OpenApiParameter("show", str, enum=FILTERS, description="Only such rows."),
    OpenApiParameter("q", str, description="Text in an input, in either output or in the key."),
    OpenApiParameter("slice", str, description='A metadata column, or "@split"; with `value`.'),
    OpenApiParameter("value", str, description="What the column says, or has in its list."),
    OpenApiParameter("on", str, enum=PLACES, description="What `low` and `high` are bounds of."),
    OpenApiParameter("low", float, description="At least this; with `on`."),
    OpenApiParameter("high", float, description="Less than this; with the same `low`, exactly this."),
]


class _RowQuerySerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, required=False)
    baseline = serializers.UUIDField(required=False)
    candidate = serializers.UUIDField(required=False)
    show = serializers.ChoiceField(choices=FILTERS, required=False)
    q = SafeCharField(max_length=LONGEST, required=False)
    on = serializers.ChoiceField(choices=PLACES, required=False)
    low = serializers.FloatField(required=False)
    high = serializers.FloatField(required=False)


@dataclass(frozen=True, slots=True)
class RowsAsked:
    """What the query of an address asks for, all of it understood."""

    state: ComparisonState
    metric: MetricSummary | None
    size: int


def rows_asked(comparison: Comparison, query: Mapping[str, str]) -> RowsAsked:
    """The pages' state for a query of REST, where runs go by their ids. A blank parameter is none.

    Raises InvalidInput (DRF's ValidationError for what is no number, no choice) naming the parameter.
    """
    given = {name: text for name, text in query.items() if text.strip()}
    serializer = _RowQuerySerializer(data=given)
    serializer.is_valid(raise_exception=True)
    asked = serializer.validated_data
    _check_pairs(given)
    _check_slice(comparison, given.get("slice", ""))
    state = comparison_state(comparison, given | _run_numbers(comparison, asked))
    return RowsAsked(state, _metric(state, given), asked.get("limit", PAGE))


def _check_pairs(given: Mapping[str, str]) -> None:
    """Parameters that say nothing alone."""
    bounds = "low" in given or "high" in given
    if bounds and "on" not in given:
        raise _refused("on", f"Say what the bounds are of: {', '.join(PLACES)}.")
    if "on" in given and not bounds:
        raise _refused("low", "Give a bound with `on`: `low`, `high` or both.")
    for name, other in (("slice", "value"), ("value", "slice")):
        if name in given and other not in given:
            raise _refused(other, f"`{name}` needs `{other}` beside it.")


def _check_slice(comparison: Comparison, wanted: str) -> None:
    columns = [
        name for run in runs_of(comparison) for name in run.dataset_version.columns.get("metadata", [])
    ]
    if wanted and wanted not in columns and wanted != SPLIT:
        have = ", ".join(dict.fromkeys([*columns, SPLIT]))
        raise _refused("slice", f"Name one of the dataset's columns: {have}.")


def _run_numbers(comparison: Comparison, asked: Mapping[str, Any]) -> dict[str, str]:
    runs = {run.pk: run for run in runs_of(comparison)}
    for name in _RUNS:
        if name in asked and asked[name] not in runs:
            raise _refused(name, f"The comparison has no such run ({name}). Give the id of one of its runs.")
    if asked.get("candidate") == asked.get("baseline", comparison.baseline_id):
        raise _refused("candidate", "The candidate is another run than the baseline.")
    return {name: str(runs[asked[name]].number) for name in _RUNS if name in asked}


def _metric(state: ComparisonState, given: Mapping[str, str]) -> MetricSummary | None:
    metrics = shared_metrics(state)
    chosen = chosen_metric(state, metrics)
    name = state["metric"] or (chosen.name if chosen else "")
    if state["metric"] and name not in {metric.name for metric in metrics}:
        have = ", ".join(dict.fromkeys(metric.name for metric in metrics)) or "none"
        raise _refused("metric", f"Both runs have no metric {name!r} of their examples; they share: {have}.")
    sources = [metric.source for metric in metrics if metric.name == name]
    if state["source"] and state["source"] not in sources:
        have = ", ".join(sources) or "none"
        raise _refused("source", f"No scores of {name} come from {state['source']!r}, only from: {have}.")
    return chosen_metric(state.changed(metric=name), metrics)


def _refused(name: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={name: [text]})
