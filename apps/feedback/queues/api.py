"""REST: queues, what is put into them, and annotations out of them and into them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProjectViewSet, idempotent
from apps.core.roles import Role
from apps.evaluations.raters import rater_of
from apps.feedback.models import Annotation, QueueAddition, QueueItem
from apps.feedback.queues import serializers as shapes
from apps.feedback.queues.adding import queue_items_add
from apps.feedback.queues.blindness import is_blind, without_gold, without_names
from apps.feedback.queues.recording import annotation_record
from apps.feedback.queues.selectors import item_get, queue_get, queue_list
from apps.feedback.queues.services import queue_create, queue_update

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The queue's slug.")


class AnnotationQueueViewSet(ProjectViewSet):
    """`/annotation-queues/` and `/annotation-queues/{slug}/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR, "PATCH": Role.EDITOR}
    serializer_class = shapes.QueueSerializer

    @extend_schema(
        operation_id="annotation_queues_list",
        parameters=[
            OpenApiParameter("q", str, description="Text in the name."),
            OpenApiParameter("archived", bool, description="Archived queues instead of the others."),
        ],
        responses={200: shapes.QueueSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        """The project's queues, newest first."""
        asked = request.query_params
        archived = asked.get("archived", "").lower() in ("true", "1")
        found = queue_list(project=self.project, q=asked.get("q", ""), archived=archived)
        rows = self.paginate_queryset(found.select_related("adjudicates"))
        return self.get_paginated_response(shapes.QueueSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="annotation_queues_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=shapes.QueueCreateSerializer,
        responses={201: shapes.QueueSerializer},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """A queue without items."""
        given = _read(shapes.QueueCreateSerializer, request)
        queue = queue_create(project=self.project, by=self.actor, **given)
        return Response(shapes.QueueSerializer(queue).data, status=201)

    @extend_schema(
        operation_id="annotation_queues_retrieve",
        parameters=[_SLUG],
        responses={200: shapes.QueueSerializer},
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        queue = queue_get(project=self.project, slug=slug)
        return Response(shapes.QueueSerializer(queue).data)

    @extend_schema(
        operation_id="annotation_queues_update",
        parameters=[_SLUG],
        request=shapes.QueueChangeSerializer,
        responses={200: shapes.QueueSerializer},
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change settings or form; open places and the order follow."""
        queue = queue_get(project=self.project, slug=slug)
        given = _read(shapes.QueueChangeSerializer, request)
        return Response(shapes.QueueSerializer(queue_update(queue=queue, by=self.actor, **given)).data)


class QueueItemViewSet(ProjectViewSet):
    """`/annotation-queues/{slug}/items/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    serializer_class = shapes.QueueItemSerializer

    @extend_schema(
        operation_id="annotation_queue_items_list",
        parameters=[_SLUG, OpenApiParameter("status", str, enum=QueueItem.Status.values)],
        responses={200: shapes.QueueItemSerializer(many=True)},
    )
    def list(self, request: Request, slug: str) -> Response:
        """The queue's items, newest first; to an annotator's key without what would bias it."""
        queue = queue_get(project=self.project, slug=slug)
        found = QueueItem.objects.filter(queue=queue)
        status = request.query_params.get("status", "")
        if status in QueueItem.Status.values:
            found = found.filter(status=status)
        rows: Any = self.paginate_queryset(found)
        if is_blind(self.actor):
            without_gold(rows)
            for row in rows:
                row.content = without_names(queue, row.content)
        return self.get_paginated_response(shapes.QueueItemSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="annotation_queue_items_add",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=shapes.QueueSourceSerializer,
        responses={
            201: shapes.QueueAdditionSerializer,
            202: shapes.QueueAdditionSerializer,
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        """Add spans, feedback, results or pairs; what is in the queue already is left as it is.

        202: there are many, and a worker adds them; the queue's `item_count` grows.
        """
        queue = queue_get(project=self.project, slug=slug)
        given = _read(shapes.QueueSourceSerializer, request)
        source = given | ({"ids": [str(one) for one in given["ids"]]} if given.get("ids") else {})
        addition = queue_items_add(queue=queue, by=self.actor, source=source)
        done = addition.status == QueueAddition.Status.COMPLETED
        return Response(shapes.QueueAdditionSerializer(addition).data, status=201 if done else 202)


class QueueAnnotationViewSet(ProjectViewSet):
    """`/annotation-queues/{slug}/annotations/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.ANNOTATOR}
    serializer_class = shapes.AnnotationSerializer

    @extend_schema(
        operation_id="annotation_queue_annotations_list",
        parameters=[
            _SLUG,
            OpenApiParameter("state", str, enum=Annotation.State.values, description="Else submitted."),
        ],
        responses={200: shapes.AnnotationSerializer(many=True)},
    )
    def list(self, request: Request, slug: str) -> Response:
        """Everybody's annotations in the queue, newest first; an annotator's key gets its own."""
        queue = queue_get(project=self.project, slug=slug)
        state = request.query_params.get("state", "")
        state = state if state in Annotation.State.values else Annotation.State.SUBMITTED
        found = Annotation.objects.filter(queue=queue, state=state)
        rows = self.paginate_queryset(
            found.filter(rater=rater_of(self.actor)) if is_blind(self.actor) else found
        )
        return self.get_paginated_response(shapes.AnnotationSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="annotation_queue_annotations_create",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=shapes.AnnotationCreateSerializer,
        responses={
            201: shapes.AnnotationSerializer,
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        """Bring an annotation that was made elsewhere; one key is one annotator.

        Its state is "surplus" where the item has all the annotators that it wants: kept, counted nowhere.
        """
        queue = queue_get(project=self.project, slug=slug)
        given = _read(shapes.AnnotationCreateSerializer, request)
        item = item_get(project=self.project, item_id=given["item"], queue=queue)
        recorded = annotation_record(
            item=item, by=self.actor, values=given["values"], active_ms=given["active_ms"]
        )
        return Response(shapes.AnnotationSerializer(recorded.annotation).data, status=201)


def _read(serializer: Any, request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    if "form" in found:
        found["form"] = [dict(field) for field in found["form"]]
    return dict(found)
