"""REST for evaluators and the kinds there are."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectAPIView, ProjectViewSet, idempotent
from apps.core.roles import Role
from apps.evaluations import evaluator_selectors as selectors
from apps.evaluations import evaluator_serializers as serializers
from apps.evaluations import evaluator_services as services
from apps.evaluations.evaluators import kinds

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The evaluator's slug.")
_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_MISSING = OpenApiResponse(ProblemSerializer, "There is no such evaluator in the key's project.")
_CONFLICT = OpenApiResponse(ProblemSerializer, "The name is taken, or a newer version was saved meanwhile.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")


class EvaluatorKindList(ProjectAPIView):
    roles: ClassVar = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="evaluators_kinds", responses={200: serializers.EvaluatorKindSerializer(many=True)}
    )
    def get(self, request: Request) -> Response:
        """The kinds of evaluator, with the JSON schema of their settings."""
        return Response(serializers.EvaluatorKindSerializer(kinds(), many=True).data)


class EvaluatorViewSet(ProjectViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR, "PATCH": Role.EDITOR}
    serializer_class = serializers.EvaluatorSerializer

    @extend_schema(
        operation_id="evaluators_list",
        parameters=[
            OpenApiParameter("q", str, description="Text in the name, slug or kind."),
            OpenApiParameter("archived", bool, description="Archived evaluators instead of the others."),
        ],
        responses={200: serializers.EvaluatorSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        archived = request.query_params.get("archived", "").lower() in ("true", "1")
        search = request.query_params.get("q", "")
        found = selectors.evaluator_list(project=self.project, search=search, archived=archived)
        rows = self.paginate_queryset(found)
        return self.get_paginated_response(serializers.EvaluatorSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="evaluators_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=serializers.EvaluatorCreateSerializer,
        responses={201: serializers.EvaluatorSerializer, 400: _BAD, 403: _REFUSED, 409: _CONFLICT},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        wanted = serializers.EvaluatorCreateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        evaluator = services.evaluator_create(project=self.project, by=self.actor, **wanted.validated_data)
        return Response(self._shown(evaluator.slug), status=201)

    @extend_schema(
        operation_id="evaluators_retrieve",
        parameters=[_SLUG],
        responses={200: serializers.EvaluatorSerializer, 404: _MISSING},
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self._shown(slug))

    @extend_schema(
        operation_id="evaluators_update",
        parameters=[_SLUG],
        request=serializers.EvaluatorChangeSerializer,
        responses={
            200: serializers.EvaluatorSerializer,
            400: _BAD,
            403: _REFUSED,
            404: _MISSING,
            409: _CONFLICT,
        },
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        """Rename, archive or restore; new settings make the next version."""
        evaluator = selectors.evaluator_get(project=self.project, slug=slug)
        wanted = serializers.EvaluatorChangeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        changes = dict(wanted.validated_data)
        services.evaluator_update(evaluator=evaluator, by=self.actor, **changes)
        return Response(self._shown(slug))

    def _shown(self, slug: str) -> Any:
        evaluator = selectors.evaluator_get(project=self.project, slug=slug)
        return serializers.EvaluatorSerializer(evaluator).data
