"""REST: examples, and the draft in which their edits gather."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import (
    IDEMPOTENCY_HEADER,
    KeysetPagination,
    ProjectAPIView,
    idempotent,
)
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.roles import Role
from apps.datasets import services
from apps.datasets.api import whole_number
from apps.datasets.drafting import ExampleState, example_state
from apps.datasets.models import Example
from apps.datasets.selectors import (
    dataset_get,
    draft_changes,
    example_search,
    latest_version,
    version_get,
)
from apps.datasets.serializers import (
    DatasetVersionSerializer,
    DraftChangeSerializer,
    ExampleCreateSerializer,
    ExampleSerializer,
    ExampleStateSerializer,
    ExampleUpdateSerializer,
    PublishAnswerSerializer,
    PublishSerializer,
)


class ExamplePagination(KeysetPagination):
    ordering = ("position", "id")  # type: ignore[assignment]  # as CursorPagination takes it


class ExampleListView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="dataset_example_list",
        parameters=[
            OpenApiParameter("version", int, description="The newest where it is not given."),
            OpenApiParameter("q", str, description="Beginnings of words in the inputs or the reference."),
            OpenApiParameter("split", str),
            *PAGING,
        ],
        responses={200: paged("Example", ExampleSerializer)},
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        number = whole_number(request, "version")
        if number is None and latest_version(dataset) is None:
            return paged_answer(self, Example.objects.none(), ExampleSerializer, ExamplePagination())
        version = version_get(dataset=dataset, number=number)
        split = request.query_params.get("split", "").replace("\x00", "")
        rows = example_search(version, q=request.query_params.get("q", ""), split=split)
        return paged_answer(self, rows, ExampleSerializer, ExamplePagination())

    @extend_schema(
        operation_id="dataset_example_create",
        summary="Add an example to the draft",
        parameters=[IDEMPOTENCY_HEADER],
        request=ExampleCreateSerializer,
        responses={201: ExampleStateSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        given = ExampleCreateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        change = services.draft_example_save(
            dataset=dataset, by=self.actor, must_be_new=True, **given.validated_data
        )
        return _state_answer(example_state(dataset, change.key), 201)


def _state_answer(state: ExampleState, status: int = 200) -> Response:
    return Response(ExampleStateSerializer(state).data, status=status)


class ExampleDetailView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR, "DELETE": Role.EDITOR}

    @extend_schema(
        operation_id="dataset_example_retrieve",
        summary="The newest state of an example, the draft included",
        responses={200: ExampleStateSerializer},
    )
    def get(self, request: Request, slug: str, key: str) -> Response:
        return _state_answer(example_state(dataset_get(project=self.project, slug=slug), key))

    @extend_schema(
        operation_id="dataset_example_update",
        summary="Change an example in the draft",
        request=ExampleUpdateSerializer,
        responses={200: ExampleStateSerializer},
    )
    def patch(self, request: Request, slug: str, key: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        given = ExampleUpdateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted: dict[str, Any] = dict(given.validated_data)
        state = example_state(dataset, key)
        values = {name: getattr(state, name) for name in ("inputs", "reference", "metadata", "split")}
        seen = wanted.pop("revision", None) or state.revision
        services.draft_example_save(dataset=dataset, by=self.actor, key=key, seen=seen, **values | wanted)
        return _state_answer(example_state(dataset, key))

    @extend_schema(
        operation_id="dataset_example_delete",
        summary="Delete an example in the draft",
        responses={
            204: OpenApiResponse(description="It will be gone once the draft is published."),
        },
    )
    def delete(self, request: Request, slug: str, key: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        services.draft_example_delete(dataset=dataset, by=self.actor, key=key)
        return Response(status=204)


class DraftView(ProjectAPIView):
    roles = {"GET": Role.VIEWER, "DELETE": Role.EDITOR}

    @extend_schema(
        operation_id="dataset_draft_list",
        parameters=PAGING,
        responses={200: paged("DraftChange", DraftChangeSerializer)},
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        return paged_answer(self, draft_changes(dataset), DraftChangeSerializer)

    @extend_schema(
        operation_id="dataset_draft_discard",
        responses={
            204: OpenApiResponse(description="All pending edits are taken back."),
        },
    )
    def delete(self, request: Request, slug: str) -> Response:
        services.draft_discard(dataset=dataset_get(project=self.project, slug=slug), by=self.actor)
        return Response(status=204)


class DraftPublishView(ProjectAPIView):
    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="dataset_draft_publish",
        parameters=[IDEMPOTENCY_HEADER],
        request=PublishSerializer,
        responses={200: PublishAnswerSerializer},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        dataset = dataset_get(project=self.project, slug=slug)
        given = PublishSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        version = services.draft_publish(dataset=dataset, by=self.actor, note=given.validated_data["note"])
        return Response({"version": DatasetVersionSerializer(version).data if version else None})
