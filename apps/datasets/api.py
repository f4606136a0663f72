"""REST: datasets and their versions."""

from __future__ import annotations

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import (
    IDEMPOTENCY_HEADER,
    KeysetPagination,
    ProjectAPIView,
    idempotent,
)
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.datasets import services
from apps.datasets.exporting import FORMATS
from apps.datasets.models import Dataset
from apps.datasets.selectors import dataset_get, dataset_list, version_get, version_list
from apps.datasets.serializers import (
    DatasetCreateSerializer,
    DatasetSerializer,
    DatasetUpdateSerializer,
    DatasetVersionSerializer,
)
from apps.datasets.streaming import export_response


def whole_number(request: Request, name: str) -> int | None:
    """A query parameter that is a number from 1, None where it is absent. Raises InvalidInput."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        message = "Give a whole number from 1."
        raise InvalidInput(f"{name}: {message}", fields={name: [message]})
    return int(text)


def _dataset_answer(dataset: Dataset, status: int = 200) -> Response:
    row = dataset_list(project=dataset.project, archived=dataset.archived_at is not None).get(pk=dataset.pk)
    return Response(DatasetSerializer(row).data, status=status)


class DatasetListView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="dataset_list",
        parameters=[
            OpenApiParameter("q", str, description="Part of the name or description."),
            OpenApiParameter("archived", bool, description="The archived ones instead of the others."),
            *PAGING,
        ],
        responses={200: paged("Dataset", DatasetSerializer)},
    )
    def get(self, request: Request) -> Response:
        archived = request.query_params.get("archived", "").lower() in ("1", "true")
        rows = dataset_list(project=self.project, archived=archived, q=request.query_params.get("q", ""))
        return paged_answer(self, rows, DatasetSerializer)

    @extend_schema(
        operation_id="dataset_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=DatasetCreateSerializer,
        responses={201: DatasetSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = DatasetCreateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        dataset = services.dataset_create(project=self.project, by=self.actor, **given.validated_data)
        return _dataset_answer(dataset, 201)


class DatasetDetailView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR}

    @extend_schema(operation_id="dataset_retrieve", responses={200: DatasetSerializer})
    def get(self, request: Request, slug: str) -> Response:
        return _dataset_answer(dataset_get(project=self.project, slug=slug))

    @extend_schema(
        operation_id="dataset_update",
        request=DatasetUpdateSerializer,
        responses={200: DatasetSerializer},
    )
    def patch(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        given = DatasetUpdateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = dict(given.validated_data)
        archived = wanted.pop("archived", None)
        dataset = services.dataset_update(dataset=dataset, by=self.actor, **wanted)
        if archived is not None:
            dataset = services.dataset_archive(dataset=dataset, by=self.actor, archived=archived)
        return _dataset_answer(dataset)


class DatasetVersionPagination(KeysetPagination):
    ordering = "-number"


class DatasetVersionListView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="dataset_version_list",
        parameters=PAGING,
        responses={200: paged("DatasetVersion", DatasetVersionSerializer)},
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        return paged_answer(self, version_list(dataset), DatasetVersionSerializer, DatasetVersionPagination())


class DatasetExportView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="dataset_export",
        parameters=[
            OpenApiParameter("version", int, description="The newest where it is not given."),
            OpenApiParameter("as", str, enum=list(FORMATS), description="jsonl where it is not given."),
        ],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        dataset = dataset_get(project=self.project, slug=slug)
        format = request.query_params.get("as", "jsonl")
        if format not in FORMATS:
            message = f"Use one of: {', '.join(FORMATS)}."
            raise InvalidInput(f"as: {message}", fields={"as": [message]})
        version = version_get(dataset=dataset, number=whole_number(request, "version"))
        return export_response(request._request, version, format)
