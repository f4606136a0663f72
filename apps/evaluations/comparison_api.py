"""REST for comparisons."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import (
    IDEMPOTENCY_HEADER,
    KeysetPagination,
    ProblemSerializer,
    ProjectAPIView,
    SafeCharField,
    idempotent,
)
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparison_figures import figures_state, kept_of_list
from apps.evaluations.comparison_selectors import comparison_get
from apps.evaluations.comparison_services import MOST_CANDIDATES, comparison_create
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.run_api import PAGING
from apps.evaluations.selectors import run_get

PROBLEM = OpenApiResponse(ProblemSerializer, description="Problem details (RFC 9457).")


class ComparisonCreateSerializer(serializers.Serializer[Any]):
    baseline = serializers.UUIDField()
    candidates = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MOST_CANDIDATES
    )
    primary_metric = SafeCharField(max_length=120, required=False, default="", allow_blank=True)
    name = SafeCharField(max_length=200, required=False, default="", allow_blank=True)


class ComparedMetricSerializer(serializers.Serializer[Any]):
    """One metric, paired on the examples both runs have a score for."""

    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    primary = serializers.BooleanField()
    direction = serializers.CharField()
    n = serializers.IntegerField()
    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)
    test = serializers.CharField(allow_null=True)
    wins = serializers.IntegerField()
    ties = serializers.IntegerField()
    losses = serializers.IntegerField()
    missing = serializers.IntegerField()


class MeasuredSerializer(serializers.Serializer[Any]):
    """Latency or cost of a call, the candidate's less the baseline's."""

    unit = serializers.CharField()
    n = serializers.IntegerField()
    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    baseline_median = serializers.FloatField(allow_null=True)
    candidate_median = serializers.FloatField(allow_null=True)
    baseline_total = serializers.FloatField(allow_null=True)
    candidate_total = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)


class ComparedCandidateSerializer(serializers.Serializer[Any]):
    run = serializers.UUIDField()
    metrics = ComparedMetricSerializer(many=True)
    latency = MeasuredSerializer(allow_null=True)
    cost = MeasuredSerializer(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """`status` is pending while a run goes on or a worker computes; the metrics come with ready."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=["pending", "ready", "failed"])
    status_reason = serializers.CharField(allow_null=True)
    baseline = serializers.UUIDField()
    primary_metric = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    candidates = ComparedCandidateSerializer(many=True)


#: Seconds a creation waits for a worker to compute the statistics, so that most clients need not poll.
WAIT_S = 5.0


def comparison_json(comparison: Comparison, figures: dict[str, Any] | None, error: str) -> dict[str, Any]:
    """A comparison with what is computed of it."""
    by_run = {candidate["run"]: candidate for candidate in (figures or {}).get("candidates", [])}
    blank: dict[str, Any] = {"metrics": [], "latency": None, "cost": None}
    status = "failed" if error else "ready" if figures else "pending"
    return {
        "id": str(comparison.pk),
        "number": comparison.number,
        "name": comparison.name,
        "status": status,
        "status_reason": error or None,
        "baseline": str(comparison.baseline_id),
        "primary_metric": comparison.primary_metric or None,
        "created_at": comparison.created_at.isoformat().replace("+00:00", "Z"),
        "candidates": [
            {"run": str(run_id), **(by_run.get(str(run_id)) or blank)} for run_id in comparison.candidate_ids
        ],
    }


def _with_figures(comparison: Comparison) -> dict[str, Any]:
    state = figures_state(comparison, comparison.baseline, "metrics")
    return comparison_json(comparison, state.figures, state.error)


class ComparisonList(ProjectAPIView):
    """`/comparisons/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="comparisons_list",
        parameters=PAGING,
        responses={200: ComparisonSerializer(many=True), 404: PROBLEM},
    )
    def get(self, request: Request) -> Response:
        """The project's comparisons, newest first."""
        paginator = self.pagination_class()
        found = Comparison.objects.filter(project=self.project)
        page = paginator.paginate_queryset(found, request, view=self)
        kept = kept_of_list(page)
        answers = [
            comparison_json(one, of_it.figures if of_it else None, of_it.error if of_it else "")
            for one, of_it in ((one, kept[one.pk]) for one in page)
        ]
        return paginator.get_paginated_response(answers)

    @extend_schema(
        operation_id="comparisons_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=ComparisonCreateSerializer,
        responses={201: ComparisonSerializer, 400: PROBLEM, 409: PROBLEM},
    )
    def post(self, request: Request) -> Response:
        """Compare runs over one dataset; waits a few seconds for the statistics, which come when they can."""
        response = self._create(request)
        if response.status_code == 201 and response.data["status"] == "pending":
            response.data = self._settled(UUID(response.data["id"]))
        return response

    @idempotent
    def _create(self, request: Request) -> Response:
        serializer = ComparisonCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        comparison = comparison_create(
            project=self.project,
            by=self.actor,
            baseline=_run(self.project, "baseline", asked["baseline"]),
            candidates=[_run(self.project, "candidates", run_id) for run_id in asked["candidates"]],
            primary_metric=asked["primary_metric"],
            name=asked["name"],
        )
        return Response(comparison_json(comparison, None, ""), status=201)

    def _settled(self, comparison_id: UUID) -> dict[str, Any]:
        ends = time.monotonic() + WAIT_S
        while True:
            comparison = comparison_get(project=self.project, id=comparison_id)
            state = figures_state(comparison, comparison.baseline, "metrics")
            if not state.waiting or state.unfinished or time.monotonic() > ends:
                return comparison_json(comparison, state.figures, state.error)
            time.sleep(0.05)


class ComparisonDetail(ProjectAPIView):
    """`/comparisons/{id}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="comparisons_retrieve", responses={200: ComparisonSerializer, 404: PROBLEM})
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """One comparison, with its statistics once they are computed."""
        return Response(_with_figures(comparison_get(project=self.project, id=comparison_id)))


def _run(project: Project, field: str, run_id: UUID) -> EvalRun:
    try:
        return run_get(project=project, id=run_id)
    except NotFound as exc:
        raise InvalidInput(exc.detail, fields={field: [exc.detail]}) from exc
