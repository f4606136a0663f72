"""REST: importing files."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, KeysetPagination, ProjectAPIView
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.errors import InvalidInput, ProductError
from apps.core.roles import Role
from apps.datasets import services
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, DatasetImport
from apps.datasets.receiving import received_file
from apps.datasets.selectors import dataset_get, import_get, import_list, latest_version
from apps.datasets.serializers import (
    ImportFormSerializer,
    ImportOptionsSerializer,
    ImportSerializer,
    MappingSerializer,
    RejectionSerializer,
)

_MAPPING_PARTS = ("inputs", "metadata", "json")
_RAW_PARAMETERS = [
    OpenApiParameter(
        "inputs", str, many=True, description="Raw bodies: columns that are inputs; repeatable."
    ),
    OpenApiParameter("reference", str, description="Raw bodies: the column that holds the reference."),
    OpenApiParameter("metadata", str, many=True, description="Raw bodies: columns of metadata; repeatable."),
    OpenApiParameter("key", str, description="Raw bodies: the column that names an example."),
    OpenApiParameter("split", str, description="Raw bodies: the column that names the split."),
    OpenApiParameter("json", str, many=True, description="Raw bodies: CSV columns whose cells are JSON."),
    OpenApiParameter("mode", str, enum=["merge", "replace"], description="Raw bodies: how to import."),
    OpenApiParameter("note", str, description="Raw bodies: the note of the new version."),
    OpenApiParameter("encoding", str, description="Raw bodies: the text's encoding, where it is not UTF-8."),
    OpenApiParameter("delimiter", str, description="Raw bodies: of a CSV, where it is not to be guessed."),
    OpenApiParameter(
        "header", bool, description="Raw bodies: whether the first line of a CSV names columns."
    ),
]


class RawFileParser(BaseParser):
    """Says which raw bodies are taken; the body itself is read by received_file()."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class NdjsonParser(RawFileParser):
    media_type = "application/x-ndjson"


class ParquetParser(RawFileParser):
    media_type = "application/vnd.apache.parquet"


class DatasetImportView(ProjectAPIView):
    roles = {"POST": Role.EDITOR}
    parser_classes = (MultiPartParser, RawFileParser, NdjsonParser, ParquetParser)

    @extend_schema(
        operation_id="dataset_import",
        summary="Import a CSV, JSON lines or Parquet file",
        parameters=[*_RAW_PARAMETERS, IDEMPOTENCY_HEADER],
        request={
            "multipart/form-data": ImportFormSerializer,
            "text/csv": OpenApiTypes.BINARY,
            "application/x-ndjson": OpenApiTypes.BINARY,
            "application/vnd.apache.parquet": OpenApiTypes.BINARY,
        },
        responses={
            200: ImportSerializer,
            202: ImportSerializer,
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        repeated = _repeated(request, dataset)
        if repeated:
            return import_answer(repeated)
        with received_file(request) as (file, filename, format):
            mapping, options = _asked_for(request, raw=bool(format))
            job = self._upload(dataset, file, filename)
            try:
                mode, note = options.pop("mode"), options.pop("note")
                seen, guessed = services.import_preview(job, format=format, **options)
                job = services.import_start(
                    job=job, by=self.actor, seen=seen, mapping=mapping or guessed, mode=mode, note=note
                )
            except ProductError as error:
                services.import_refuse(job=job, reason=error.detail)
                raise
        return import_answer(job)

    def _upload(self, dataset: Dataset, file: Any, filename: str) -> DatasetImport:
        key = self.request.headers.get("Idempotency-Key")
        try:
            return services.import_upload(
                dataset=dataset, by=self.actor, file=file, filename=filename, idempotency_key=key
            )
        except IntegrityError:
            raise InvalidInput("Another import with this Idempotency-Key is being sent just now.") from None


def _repeated(request: Request, dataset: Dataset) -> DatasetImport | None:
    """The import that an earlier request with the same Idempotency-Key began."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    if len(key) > 200 or not key.isprintable():
        raise InvalidInput("Idempotency-Key takes at most 200 printable characters.")
    return import_list(dataset).select_related("dataset").filter(idempotency_key=key).first()


def _asked_for(request: Request, *, raw: bool) -> tuple[Mapping | None, dict[str, Any]]:
    """The mapping and the options, from the query string of a raw body or the fields of a form."""
    given: Any = request.query_params if raw else request.data
    options = ImportOptionsSerializer(data={name: given[name] for name in given if name != "file"})
    options.is_valid(raise_exception=True)
    if raw:
        parts: Any = {name: given.getlist(name) if name in _MAPPING_PARTS else given[name] for name in given}
    else:
        parts = _parsed(given.get("mapping"))
    mapping = MappingSerializer(data=parts)
    mapping.is_valid(raise_exception=True)
    return mapping.mapping(), dict(options.validated_data)


def _parsed(text: Any) -> Any:
    if not text:
        return {}
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        message = (
            'The mapping is not valid JSON. Send for example {"inputs": ["question"], "reference": "answer"}.'
        )
        raise InvalidInput(message, fields={"mapping": [message]}) from None


def import_answer(job: DatasetImport) -> Response:
    latest = latest_version(job.dataset)
    body = ImportSerializer(job, context={"latest": latest.number if latest else None}).data
    if job.is_waiting:
        return Response(body, status=202, headers={"Location": body["url"]})
    return Response(body)


class DatasetImportListView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="dataset_import_list",
        parameters=PAGING,
        responses={200: paged("DatasetImport", ImportSerializer)},
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        latest = latest_version(dataset)
        context = {"latest": latest.number if latest else None, "shown": 0}
        jobs = import_list(dataset).select_related("dataset")
        return paged_answer(self, jobs, ImportSerializer, KeysetPagination(), context)


class DatasetImportDetailView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "DELETE": Role.EDITOR}

    @extend_schema(operation_id="dataset_import_retrieve", responses={200: ImportSerializer})
    def get(self, request: Request, slug: str, import_id: UUID) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        response = import_answer(import_get(dataset=dataset, import_id=import_id))
        response.status_code = 200
        return response

    @extend_schema(
        operation_id="dataset_import_cancel",
        summary="Cancel an import that is not done",
        responses={200: ImportSerializer},
    )
    def delete(self, request: Request, slug: str, import_id: UUID) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        job = import_get(dataset=dataset, import_id=import_id)
        services.import_cancel(job=job, by=self.actor)
        return import_answer(import_get(dataset=dataset, import_id=import_id))


class RejectionPagination(KeysetPagination):
    ordering = ("line", "id")  # type: ignore[assignment]  # as CursorPagination takes it


class ImportRejectionListView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="dataset_import_rejection_list",
        parameters=PAGING,
        responses={200: paged("ImportRejection", RejectionSerializer)},
    )
    def get(self, request: Request, slug: str, import_id: UUID) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        job = import_get(dataset=dataset, import_id=import_id)
        return paged_answer(self, job.rejections.all(), RejectionSerializer, RejectionPagination())
