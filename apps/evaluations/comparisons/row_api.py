"""REST for the rows of a comparison, with what people said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView
from apps.core.errors import NotFound
from apps.core.roles import Role
from apps.evaluations.comparisons.row_exports import whole_json, whole_rows
from apps.evaluations.comparisons.row_pages import row_query, settled_state
from apps.evaluations.comparisons.row_parameters import ROW_PARAMETERS, rows_asked
from apps.evaluations.comparisons.row_sql import read_cursor
from apps.evaluations.comparisons.rows import RowsPage, compared_rows
from apps.evaluations.comparisons.selectors import comparison_get


class RowScoreSerializer(serializers.Serializer[Any]):
    """One score of one result; `value` null where it could not be scored."""

    metric = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    rater = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    label = serializers.CharField(  # type: ignore[assignment]  # a field of that name
        help_text="The category, where it gives one."
    )
    detail = serializers.CharField()


class RowResultSerializer(serializers.Serializer[Any]):
    """What one run made of the example; all null where the run does not have it."""

    run = serializers.UUIDField()
    item = serializers.UUIDField(allow_null=True)
    status = serializers.CharField(allow_null=True)
    output = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    scores = RowScoreSerializer(many=True)
    latency_ms = serializers.FloatField(allow_null=True)
    cost_usd = serializers.FloatField(allow_null=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)


class RowCommentSerializer(serializers.Serializer[Any]):
    author = serializers.CharField()
    created_at = serializers.DateTimeField()
    text = serializers.CharField()


class ComparedRowSerializer(serializers.Serializer[Any]):
    """One example (and repetition): `results` of every run of the comparison, the baseline's first.

    `unpaired` says why baseline and candidate are not a pair: "changed" between the versions of the dataset,
    only in the "baseline", only in the "candidate".
    """

    example = serializers.UUIDField()
    key = serializers.CharField()
    number = serializers.IntegerField(help_text="The example's place in the run, as pages call it: #16.")
    repetition = serializers.IntegerField()
    outcome = serializers.ChoiceField(
        choices=["worse", "better", "tied", "missing", "unpaired"], allow_null=True
    )
    unpaired = serializers.ChoiceField(choices=["changed", "baseline", "candidate"], allow_null=True)
    baseline_value = serializers.FloatField(allow_null=True)
    candidate_value = serializers.FloatField(allow_null=True)
    change = serializers.FloatField(allow_null=True)
    inputs = serializers.JSONField()
    reference = serializers.JSONField(allow_null=True)
    metadata = serializers.JSONField()
    split = serializers.CharField()
    results = RowResultSerializer(many=True)
    comments = RowCommentSerializer(many=True)


class ComparedCountsSerializer(serializers.Serializer[Any]):
    """Rows of each sort, of those that pass `q`, slice and range, whatever `show` says."""

    total = serializers.IntegerField()
    worse = serializers.IntegerField()
    better = serializers.IntegerField()
    tied = serializers.IntegerField()
    error = serializers.IntegerField()
    missing = serializers.IntegerField()
    differs = serializers.IntegerField(
        allow_null=True,
        help_text="Null, so not counted, unless `show` is differs or no metric judges the rows: every output "
        "of both runs is read for it. `show=differs` with `limit=1` asks for the count.",
    )
    unpaired = serializers.IntegerField()


class ComparedRowsSerializer(serializers.Serializer[Any]):
    """One page of rows, `metric` what they are judged by (null where the runs share none)."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    metric = serializers.CharField(allow_null=True)
    counts = ComparedCountsSerializer()
    results = ComparedRowSerializer(many=True)


class ComparisonRows(ProjectAPIView):
    """`/comparisons/{id}/rows/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="comparisons_rows_list",
        parameters=ROW_PARAMETERS,
        responses={200: ComparedRowsSerializer},
    )
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """The examples side by side, regressions first, with the results of every run of the comparison."""
        comparison = comparison_get(project=self.project, id=comparison_id)
        asked = rows_asked(comparison, request.query_params)
        state, metric = asked.state, asked.metric
        query = row_query(state, metric)
        found = compared_rows(
            query,
            **_cursor(request.query_params),
            size=asked.size,
            count_texts=False,
            state=settled_state(state, query),
        )
        runs = [state.baseline, *state.candidates]
        return Response(
            {
                **_neighbours(request, found),
                "metric": metric.name if metric else None,
                "counts": asdict(found.counts),
                "results": [whole_json(whole, runs) for whole in whole_rows(state, runs, found.rows)],
            }
        )


def _cursor(query: Mapping[str, str]) -> dict[str, str]:
    text = query.get("cursor", "")
    if not text:
        return {}
    direction, _, place = text.partition(".")
    if direction not in ("after", "before") or read_cursor(place) is None:
        raise NotFound("This cursor is not one of ours. Begin again without a cursor.")
    return {direction: place}


def _neighbours(request: Request, found: RowsPage) -> dict[str, str | None]:
    def address(direction: str, place: str | None) -> str | None:
        if place is None:
            return None
        query = request.query_params.copy()
        query["cursor"] = f"{direction}.{place}"
        return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")

    return {"next": address("after", found.next), "previous": address("before", found.previous)}
