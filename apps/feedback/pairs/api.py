"""REST: files of pairs into a queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectAPIView, SafeCharField, idempotent
from apps.core.errors import InvalidInput, ProductError
from apps.core.roles import Role
from apps.feedback.models import PairImport, PairRejection
from apps.feedback.pairs.mapping import PairMapping
from apps.feedback.pairs.selectors import pair_import_get, pair_queue_get
from apps.feedback.pairs.services import (
    MOST_PER_ITEM,
    pair_import_refuse,
    pair_import_start,
    pair_import_upload,
)

MOST_REJECTIONS_SHOWN = 100


class PairImportFormSerializer(serializers.Serializer[Any]):
    """`mapping` is JSON: {"prompt": [columns], "first": column, "second": column, "votes": [columns],
    "first_name", "second_name", "names": columns, "first_won": true | false}; without it, it is guessed.
    """

    file = serializers.FileField()
    name = SafeCharField(max_length=120, required=False, default="", allow_blank=True)
    queue = SafeCharField(max_length=80, required=False, default="", allow_blank=True)
    further = serializers.IntegerField(min_value=0, max_value=MOST_PER_ITEM, required=False, default=0)
    mapping = SafeCharField(max_length=20_000, required=False, default="", allow_blank=True)


class PairRejectionSerializer(serializers.ModelSerializer[PairRejection]):
    class Meta:
        model = PairRejection
        fields = ("line", "error")


class PairImportSerializer(serializers.ModelSerializer[PairImport]):
    """`rejections` holds the first hundred rows that are no pair."""

    queue = serializers.CharField(source="queue.slug", allow_null=True)
    rejections = serializers.SerializerMethodField()

    class Meta:
        model = PairImport
        fields = (
            "id",
            "filename",
            "queue",
            "status",
            "error",
            "rows_read",
            "items_added",
            "items_known",
            "votes_added",
            "rows_rejected",
            "rejections",
            "created_at",
            "finished_at",
        )

    @extend_schema_field(PairRejectionSerializer(many=True))
    def get_rejections(self, job: PairImport) -> list[dict[str, Any]]:
        rows = job.rejections.order_by("line", "id")[:MOST_REJECTIONS_SHOWN]
        return [{"line": row.line, "error": row.error} for row in rows]


class PairImportListView(ProjectAPIView):
    roles = {"POST": Role.EDITOR}
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="pair_import_create",
        summary="Import pairs of answers with votes into a queue",
        parameters=[IDEMPOTENCY_HEADER],
        request={"multipart/form-data": PairImportFormSerializer},
        responses={
            201: PairImportSerializer,
            202: PairImportSerializer,
            404: OpenApiResponse(ProblemSerializer, "There is no such queue in the key's project."),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = PairImportFormSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        mapping = _mapping(asked["mapping"])
        queue = pair_queue_get(project=self.project, slug=asked["queue"]) if asked["queue"] else None
        job, columns, guessed = pair_import_upload(
            project=self.project,
            by=self.actor,
            file=asked["file"],
            filename=asked["file"].name,
            name=asked["name"],
            queue=queue,
            further=asked["further"],
        )
        try:
            chosen = mapping or guessed or _nothing_guessed(columns)
            job = pair_import_start(job=job, by=self.actor, mapping=chosen)
        except ProductError as error:
            pair_import_refuse(job=job, reason=error.detail)
            raise
        return Response(PairImportSerializer(job).data, status=202 if job.is_waiting else 201)


def _nothing_guessed(columns: Sequence[str]) -> NoReturn:
    have = ", ".join(columns[:20])
    text = f"Say in `mapping` which columns hold the answers. The file has: {have}."
    raise InvalidInput(text, fields={"mapping": [text]})


def _mapping(text: str) -> PairMapping | None:
    if not text:
        return None
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, dict):
        message = "The mapping is not a JSON object."
        raise InvalidInput(message, fields={"mapping": [message]})
    return PairMapping.read(kept)


class PairImportDetailView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="pair_import_retrieve", responses={200: PairImportSerializer})
    def get(self, request: Request, import_id: UUID) -> Response:
        return Response(PairImportSerializer(pair_import_get(project=self.project, import_id=import_id)).data)
