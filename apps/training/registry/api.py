"""REST: versions of models, their cards, lineage and notes."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, KeysetPagination, ProblemSerializer, ProjectAPIView, idempotent
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.roles import Role
from apps.feedback.models import TrainingSource
from apps.training.models import ModelState, ModelVersion
from apps.training.registry import keeping, selectors
from apps.training.registry.archives import archive_response
from apps.training.registry.cards import card_markdown
from apps.training.registry.exporting import export_begin
from apps.training.registry.lineage_shown import told_sources
from apps.training.registry.serializers import (
    LineageRowSerializer,
    ModelChangeSerializer,
    ModelNoteSerializer,
    ModelOfSetSerializer,
    ModelVersionDetailSerializer,
    ModelVersionSerializer,
)
from apps.training.registry.uses import uses_of


class ModelView(ProjectAPIView):
    """A view of one version."""

    def version(self, name: str, number: int) -> ModelVersion:
        return selectors.version_get(project=self.project, name=name, number=number)

    def answer(self, name: str, number: int, status: int = 200) -> Response:
        version = self.version(name, number)
        context = {"uses": uses_of(version)}
        return Response(ModelVersionDetailSerializer(version, context=context).data, status=status)


class ModelListView(ProjectAPIView):
    """`/models/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="model_version_list",
        parameters=[
            OpenApiParameter("q", str, description="Part of the name."),
            OpenApiParameter("kind", str, enum=ModelVersion.Kind.values),
            OpenApiParameter(
                "state",
                str,
                enum=ModelState.State.values,
                description="Deleted ones come only when asked for.",
            ),
            *PAGING,
        ],
        responses={200: paged("ModelVersion", ModelVersionSerializer)},
    )
    def get(self, request: Request) -> Response:
        """The versions of the registry, newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("q", "kind", "state")}
        found = selectors.version_list(project=self.project, **asked)
        return paged_answer(self, found, ModelVersionSerializer)


class ModelsOfSetsView(ProjectAPIView):
    """`/models/of-sets/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="model_version_of_sets",
        parameters=[OpenApiParameter("set", int, many=True, required=True, description="Their numbers.")],
        responses={200: ModelOfSetSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """Versions trained on these training sets, or standing on one that was: whom to ask after erasing."""
        number = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
        field = serializers.ListField(child=number, max_length=500)
        numbers = field.run_validation(request.query_params.getlist("set"))
        found = selectors.versions_of_sets(project=self.project, numbers=numbers)
        return Response(ModelOfSetSerializer(found, many=True).data)


class ModelDetailView(ModelView):
    """`/models/{name}/{number}/`"""

    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR, "DELETE": Role.APPROVER}

    @extend_schema(operation_id="model_version_retrieve", responses={200: ModelVersionDetailSerializer})
    def get(self, request: Request, name: str, number: int) -> Response:
        """The version with its files' hashes, and who uses it."""
        return self.answer(name, number)

    @extend_schema(
        operation_id="model_version_partial_update",
        request=ModelChangeSerializer,
        responses={200: ModelVersionDetailSerializer},
    )
    def patch(self, request: Request, name: str, number: int) -> Response:
        """Describe it. What a version is made of never changes."""
        version = self.version(name, number)
        given = ModelChangeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        keeping.version_describe(version=version, by=self.actor, **given.validated_data)
        return self.answer(name, number)

    @extend_schema(
        operation_id="model_version_destroy",
        request=None,
        parameters=[OpenApiParameter("even_so", bool, description="Also while versions of prompts name it.")],
        responses={204: OpenApiResponse(description="Deleted.")},
    )
    def delete(self, request: Request, name: str, number: int) -> Response:
        """Delete its files. 409 says who uses it; its row, measurements and notes stay."""
        even_so = request.query_params.get("even_so", "").lower() in ("1", "true")
        keeping.version_delete(version=self.version(name, number), by=self.actor, even_so=even_so)
        return Response(status=204)


class ModelArchiveView(ModelView):
    """`/models/{name}/{number}/archive/`"""

    roles = {"POST": Role.APPROVER}

    @extend_schema(
        operation_id="model_version_archive",
        request=None,
        responses={200: ModelVersionDetailSerializer},
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Take it out of use: prompts can no longer name it, its files stay."""
        keeping.version_archive(version=self.version(name, number), by=self.actor)
        return self.answer(name, number)


class ModelRestoreView(ModelView):
    """`/models/{name}/{number}/restore/`"""

    roles = {"POST": Role.APPROVER}

    @extend_schema(
        operation_id="model_version_restore",
        request=None,
        responses={200: ModelVersionDetailSerializer},
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Serve an archived version again."""
        keeping.version_restore(version=self.version(name, number), by=self.actor)
        return self.answer(name, number)


class ModelCardView(ModelView):
    """`/models/{name}/{number}/card/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="model_version_card",
        responses={(200, "text/markdown"): OpenApiTypes.STR},
    )
    def get(self, request: Request, name: str, number: int) -> HttpResponseBase:
        """The model card in Markdown."""
        text = card_markdown(self.version(name, number))
        return HttpResponse(text, content_type="text/markdown; charset=utf-8")


class LineagePagination(KeysetPagination):
    ordering = "position"  # unique within a dataset version


class ModelLineageView(ModelView):
    """`/models/{name}/{number}/lineage/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="model_version_lineage",
        parameters=[OpenApiParameter("split", str, enum=["train", "validation"]), *PAGING],
        responses={200: paged("LineageRow", LineageRowSerializer)},
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """The rows that its training saw, each with the judgements it came from. People are not named."""
        version = self.version(name, number)
        split = request.query_params.get("split", "").replace("\x00", "")[:40]
        pages = LineagePagination()
        page = pages.paginate_queryset(selectors.trained_rows(version, split), request, view=self)
        sources = told_sources(version, page)
        rows = [
            {
                "key": row.key,
                "split": row.split,
                "content_hash": row.content_hash,
                "judgements": [_judgement(source) for source in sources.get(row.key, [])],
            }
            for row in page
        ]
        return pages.get_paginated_response(LineageRowSerializer(rows, many=True).data)


def _judgement(source: TrainingSource) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "source_id": source.source_id,
        "says": source.says,
        "counted": source.counted,
        "person_erased": source.person == TrainingSource.ERASED,
    }


class ModelNoteListView(ModelView):
    """`/models/{name}/{number}/notes/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="model_note_list",
        parameters=PAGING,
        responses={200: paged("ModelNote", ModelNoteSerializer)},
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """Its notes, newest first."""
        return paged_answer(self, self.version(name, number).notes.all(), ModelNoteSerializer)

    @extend_schema(
        operation_id="model_note_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=ModelNoteSerializer,
        responses={201: ModelNoteSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str, number: int) -> Response:
        """Add a note."""
        version = self.version(name, number)
        given = ModelNoteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        note = keeping.note_add(version=version, by=self.actor, text=given.validated_data["text"])
        return Response(ModelNoteSerializer(note).data, status=201)


class ModelExportView(ModelView):
    """`/models/{name}/{number}/export/`"""

    roles = {"GET": Role.EDITOR}

    @extend_schema(
        operation_id="model_version_export",
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            409: OpenApiResponse(ProblemSerializer, "Its files are not here: it was deleted, or is hosted."),
        },
    )
    def get(self, request: Request, name: str, number: int) -> HttpResponseBase:
        """Its folder as a zip, with the card and the hashes; sent while it is read."""
        version = self.version(name, number)
        pieces = export_begin(version=version, by=self.actor)
        return archive_response(request._request, pieces, f"{version.full_name}.zip")
