"""REST for comparisons."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import (
    IDEMPOTENCY_HEADER,
    KeysetPagination,
    ProjectAPIView,
    idempotent,
)
from apps.core.api_pages import PAGING
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparisons.figures import FiguresState, columns_of, figures_state, kept_of_list
from apps.evaluations.comparisons.selectors import comparison_get, runs_of
from apps.evaluations.comparisons.serializers import (
    ComparisonCreateSerializer,
    ComparisonSerializer,
    PreferencesSerializer,
    SlicesSerializer,
)
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.selectors import LARGEST_NUMBER, run_get

BASELINE = OpenApiParameter(
    "baseline", UUID, description="One of the compared runs to measure the others against."
)
NUMBER = OpenApiParameter(
    "number",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
    description="The one with this number, as pages and their addresses call it.",
)
#: Seconds a creation waits for a worker to compute the statistics, so that most clients need not poll.
WAIT_S = 5.0


def comparison_json(
    comparison: Comparison, baseline_id: UUID, figures: dict[str, Any] | None, error: str
) -> dict[str, Any]:
    """A comparison with what is computed of it against one of its runs."""
    by_run = {candidate["run"]: candidate for candidate in (figures or {}).get("candidates", [])}
    blank: dict[str, Any] = {"metrics": [], "latency": None, "cost": None, "unpaired": None}
    runs = [comparison.baseline_id, *comparison.candidate_ids]
    return {
        **_status(comparison, baseline_id, figures, error),
        "number": comparison.number,
        "name": comparison.name,
        "primary_metric": comparison.primary_metric or None,
        "created_at": comparison.created_at.isoformat().replace("+00:00", "Z"),
        "candidates": [
            {"run": str(run_id), **(by_run.get(str(run_id)) or blank)}
            for run_id in runs
            if run_id != baseline_id
        ],
    }


def _status(
    comparison: Comparison, baseline_id: UUID, figures: dict[str, Any] | None, error: str
) -> dict[str, Any]:
    return {
        "id": str(comparison.pk),
        "status": "failed" if error else "ready" if figures else "pending",
        "status_reason": error or None,
        "baseline": str(baseline_id),
    }


def _kept(state: FiguresState) -> dict[str, Any] | None:
    """None while they are made again: a client that waits for "ready" wants them as they are now."""
    return None if state.waiting else state.figures


class ComparisonList(ProjectAPIView):
    """`/comparisons/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="comparisons_list",
        parameters=[*PAGING, NUMBER],
        responses={200: ComparisonSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """The project's comparisons, newest first."""
        paginator = self.pagination_class()
        found = _numbered(Comparison.objects.filter(project=self.project), request)
        page = paginator.paginate_queryset(found, request, view=self)
        kept = kept_of_list(page)
        answers = [
            comparison_json(
                one, one.baseline_id, of_it.figures if of_it else None, of_it.error if of_it else ""
            )
            for one, of_it in ((one, kept[one.pk]) for one in page)
        ]
        return paginator.get_paginated_response(answers)

    @extend_schema(
        operation_id="comparisons_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=ComparisonCreateSerializer,
        responses={201: ComparisonSerializer},
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
        return Response(comparison_json(comparison, comparison.baseline_id, None, ""), status=201)

    def _settled(self, comparison_id: UUID) -> dict[str, Any]:
        ends = time.monotonic() + WAIT_S
        while True:
            comparison = comparison_get(project=self.project, id=comparison_id)
            state = figures_state(comparison, comparison.baseline, "metrics")
            if not state.waiting or state.unfinished or time.monotonic() > ends:
                return comparison_json(comparison, comparison.baseline_id, _kept(state), state.error)
            time.sleep(0.05)


class ComparisonDetail(ProjectAPIView):
    """`/comparisons/{id}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="comparisons_retrieve",
        parameters=[
            BASELINE,
            OpenApiParameter(
                "group_by", str, description="Metadata column whose values the examples come in groups of."
            ),
        ],
        responses={200: ComparisonSerializer},
    )
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """One comparison, with its statistics once they are computed."""
        comparison = comparison_get(project=self.project, id=comparison_id)
        baseline = _baseline(comparison, request)
        column = _column(comparison, request, "group_by") if request.query_params.get("group_by") else ""
        state = figures_state(comparison, baseline, "metrics", column)
        return Response(comparison_json(comparison, baseline.pk, _kept(state), state.error))


class ComparisonSlices(ProjectAPIView):
    """`/comparisons/{id}/slices/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="comparison_slices_retrieve",
        parameters=[
            BASELINE,
            OpenApiParameter(
                "column", str, required=True, description='A metadata column, or "@split" for the split.'
            ),
        ],
        responses={200: SlicesSerializer},
    )
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """The difference on each slice of the examples, corrected for the number of slices."""
        comparison = comparison_get(project=self.project, id=comparison_id)
        column = _column(comparison, request, "column")
        blank = {"column": column, "groups": [], "candidates": []}
        return Response(_part(comparison, request, "slices", column, blank))


class ComparisonPreferences(ProjectAPIView):
    """`/comparisons/{id}/preferences/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="comparison_preferences_retrieve",
        parameters=[BASELINE],
        responses={200: PreferencesSerializer},
    )
    def get(self, request: Request, comparison_id: UUID) -> Response:
        """What people and judges preferred: win rates, strengths, and whether the place shown decided."""
        comparison = comparison_get(project=self.project, id=comparison_id)
        blank = {"systems": {"human": [], "judge": []}, "pairs": []}
        return Response(_part(comparison, request, "preferences", "", blank))


def _part(
    comparison: Comparison, request: Request, part: str, column: str, blank: dict[str, Any]
) -> dict[str, Any]:
    baseline = _baseline(comparison, request)
    state = figures_state(comparison, baseline, part, column)
    figures = _kept(state)
    return {**_status(comparison, baseline.pk, figures, state.error), **blank, **(figures or {})}


def _numbered(found: QuerySet[Comparison], request: Request) -> QuerySet[Comparison]:
    text = request.query_params.get("number", "").strip()
    if not text:
        return found
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= LARGEST_NUMBER):
        reason = f"A comparison's number is a whole number from 1 to {LARGEST_NUMBER}."
        raise InvalidInput(reason, fields={"number": [reason]})
    return found.filter(number=int(text))


def _baseline(comparison: Comparison, request: Request) -> EvalRun:
    wanted = request.query_params.get("baseline")
    if not wanted:
        return comparison.baseline
    found = next((run for run in runs_of(comparison) if str(run.pk) == wanted.lower()), None)
    if found is None:
        text = "The baseline is one of the runs that are compared, by its id."
        raise InvalidInput(text, fields={"baseline": [text]})
    return found


def _column(comparison: Comparison, request: Request, name: str) -> str:
    columns = columns_of(comparison)
    wanted = request.query_params.get(name, "")
    if wanted not in columns:
        text = f"Name one of the dataset's columns: {', '.join(columns) or 'it has none'}."
        raise InvalidInput(text, fields={name: [text]})
    return wanted


def _run(project: Project, field: str, run_id: UUID) -> EvalRun:
    try:
        return run_get(project=project, id=run_id)
    except NotFound as exc:
        raise InvalidInput(exc.detail, fields={field: [exc.detail]}) from exc
