"""REST: training sets, their previews, freezing them, and their files."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, KeysetPagination, ProblemSerializer, ProjectAPIView, idempotent
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.roles import Role
from apps.datasets.streaming import stream_response
from apps.feedback.models import TrainingSet, TrainingSource
from apps.feedback.training_sets import services
from apps.feedback.training_sets.exporting import content_of, file_get, files_of
from apps.feedback.training_sets.recipe import read_recipe
from apps.feedback.training_sets.selectors import (
    kept_rows,
    left_out_rows,
    training_set_get,
    training_set_list,
)
from apps.feedback.training_sets.serializers import (
    TrainingFilesSerializer,
    TrainingRowSerializer,
    TrainingSetCreateSerializer,
    TrainingSetFreezeSerializer,
    TrainingSetSerializer,
    TrainingSourceSerializer,
)

_NOT_FROZEN = OpenApiResponse(ProblemSerializer, "The training set is not frozen yet.")


def _answer(training_set: TrainingSet, status: int = 200) -> Response:
    found = training_set_get(project=training_set.project, number=training_set.number)
    return Response(TrainingSetSerializer(found).data, status=status)


class TrainingSetListView(ProjectAPIView):
    """`/training-sets/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="training_set_list",
        parameters=[
            OpenApiParameter("method", str, enum=TrainingSet.Method.values),
            OpenApiParameter("q", str, description="Part of the name."),
            *PAGING,
        ],
        responses={200: paged("TrainingSet", TrainingSetSerializer)},
    )
    def get(self, request: Request) -> Response:
        """The project's training sets, newest first."""
        asked = request.query_params
        rows = training_set_list(project=self.project, method=asked.get("method", ""), q=asked.get("q", ""))
        return paged_answer(self, rows, TrainingSetSerializer)

    @extend_schema(
        operation_id="training_set_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=TrainingSetCreateSerializer,
        responses={201: TrainingSetSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask for a training set. A worker makes its preview; follow `status` until it is "previewed"."""
        given = TrainingSetCreateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        made = services.training_set_create(
            project=self.project,
            by=self.actor,
            name=asked["name"],
            method=asked["method"],
            recipe=read_recipe(dict(asked.get("settings", {}))),
        )
        return _answer(made, 201)


class TrainingSetDetailView(ProjectAPIView):
    """`/training-sets/{number}/`"""

    roles = {"GET": Role.VIEWER, "DELETE": Role.EDITOR}

    @extend_schema(operation_id="training_set_retrieve", responses={200: TrainingSetSerializer})
    def get(self, request: Request, number: int) -> Response:
        """The set with the figures of its preview."""
        return _answer(training_set_get(project=self.project, number=number))

    @extend_schema(
        operation_id="training_set_destroy",
        request=None,
        responses={204: OpenApiResponse(description="Deleted.")},
    )
    def delete(self, request: Request, number: int) -> Response:
        """Throw a set away that is not frozen."""
        found = training_set_get(project=self.project, number=number)
        services.training_set_delete(training_set=found, by=self.actor)
        return Response(status=204)


class TrainingRowPagination(KeysetPagination):
    ordering = "id"


class TrainingRowListView(ProjectAPIView):
    """`/training-sets/{number}/rows/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="training_set_rows",
        parameters=[
            OpenApiParameter("left_out", bool, description="The rows that were left out, instead."),
            OpenApiParameter("reason", str, description="Only those left out for this reason."),
            *PAGING,
        ],
        responses={200: paged("TrainingRow", TrainingRowSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """The rows of a preview. Those of a frozen set are in its dataset version and its files."""
        found = training_set_get(project=self.project, number=number)
        reason = request.query_params.get("reason", "").replace("\x00", "")[:20]
        left_out = reason or request.query_params.get("left_out", "").lower() in ("1", "true")
        rows = left_out_rows(found, reason) if left_out else kept_rows(found)
        return paged_answer(self, rows, TrainingRowSerializer, TrainingRowPagination())


class TrainingSourceListView(ProjectAPIView):
    """`/training-sets/{number}/sources/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="training_set_sources",
        parameters=[
            OpenApiParameter("row", str, description="Only those of the row with this key."),
            *PAGING,
        ],
        responses={200: paged("TrainingSource", TrainingSourceSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """The lineage: each judgement that rows came from."""
        found = training_set_get(project=self.project, number=number)
        rows = TrainingSource.objects.filter(training_set=found)
        if row := request.query_params.get("row", "").replace("\x00", "")[:200]:
            rows = rows.filter(example_key=row)
        return paged_answer(self, rows, TrainingSourceSerializer, TrainingRowPagination())


class TrainingSetFreezeView(ProjectAPIView):
    """`/training-sets/{number}/freeze/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="training_set_freeze",
        request=TrainingSetFreezeSerializer,
        responses={202: TrainingSetSerializer},
    )
    def post(self, request: Request, number: int) -> Response:
        """Make the previewed rows a dataset version. Asked again, it changes nothing."""
        given = TrainingSetFreezeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        found = training_set_get(project=self.project, number=number)
        services.training_set_freeze(training_set=found, by=self.actor, **given.validated_data)
        return _answer(found, 202)


class TrainingFileListView(ProjectAPIView):
    """`/training-sets/{number}/files/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="training_set_files",
        responses={200: TrainingFilesSerializer, 409: _NOT_FROZEN},
    )
    def get(self, request: Request, number: int) -> Response:
        """The files of a frozen set."""
        found = training_set_get(project=self.project, number=number)
        body = {"results": files_of(found)}
        return Response(TrainingFilesSerializer(body, context={"number": number}).data)


class TrainingFileView(ProjectAPIView):
    """`/training-sets/{number}/files/{name}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="training_set_file",
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
            (200, "text/markdown"): OpenApiTypes.BINARY,
            409: _NOT_FROZEN,
        },
    )
    def get(self, request: Request, number: int, name: str) -> HttpResponseBase:
        """One file, sent while it is read."""
        found = training_set_get(project=self.project, number=number)
        file = file_get(found, name)
        services.training_file_taken(training_set=found, by=self.actor, name=file.name)
        return stream_response(request._request, content_of(found, file), file.content_type, file.name)
