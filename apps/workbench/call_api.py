"""REST for calls: run a saved version, read what came, stop it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectAPIView, ProjectViewSet, idempotent
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.prompts.selectors import LATEST, prompt_get, version_get
from apps.workbench.call_serializers import CallCreateSerializer, CallSerializer, WholeCallSerializer
from apps.workbench.calls.presenting import call_as_json
from apps.workbench.calls.selectors import call_get, calls_of_prompt
from apps.workbench.calls.services import call_stop, version_call_start

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The prompt's slug.")
_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_CANNOT = OpenApiResponse(ProblemSerializer, "The version cannot be run with these inputs and parameters.")
_MISSING = OpenApiResponse(
    ProblemSerializer, "There is no such prompt, version or call in the key's project."
)
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")
_CONFLICT = OpenApiResponse(ProblemSerializer, "`budget_used_up`: the month's money. `prompt_archived`.")


class PromptCallViewSet(ProjectViewSet):
    """`/prompts/{slug}/calls/`"""

    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    serializer_class = CallSerializer

    @extend_schema(
        operation_id="prompt_calls_list",
        parameters=[_SLUG],
        responses={200: CallSerializer(many=True), (404, PROBLEM_TYPE): _MISSING},
    )
    def list(self, request: Request, slug: str) -> Response:
        """Every call of the prompt, from the workbench and from REST, newest first."""
        prompt = prompt_get(project=self.project, slug=slug)
        rows: Any = self.paginate_queryset(calls_of_prompt(prompt=prompt))
        return self.get_paginated_response([call_as_json(call) for call in rows])

    @extend_schema(
        operation_id="prompt_calls_create",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=CallCreateSerializer,
        responses={
            202: CallSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): _REFUSED,
            (404, PROBLEM_TYPE): _MISSING,
            (409, PROBLEM_TYPE): _CONFLICT,
            (422, PROBLEM_TYPE): _CANNOT,
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        """Call a model with a saved version: the one of `version` or `label`, else the newest. A worker
        answers; ask for the call until its `status` is completed, failed or cancelled."""
        prompt = prompt_get(project=self.project, slug=slug)
        serializer = CallCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = dict(serializer.validated_data)
        version = version_get(prompt=prompt, version=wanted.get("version") or wanted["label"] or LATEST)
        call = version_call_start(
            prompt=prompt,
            by=self.actor,
            version=version,
            inputs=wanted.get("inputs") or {},
            model=wanted.get("model", ""),
            parameters=wanted.get("parameters") or {},
        )
        return Response(call_as_json(call), status=202)


class CallView(ProjectAPIView):
    """`/calls/{id}/`"""

    roles: ClassVar = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="calls_retrieve", responses={200: WholeCallSerializer, (404, PROBLEM_TYPE): _MISSING}
    )
    def get(self, request: Request, call_id: UUID) -> Response:
        """A call with what it was made of and what came of it."""
        return Response(call_as_json(call_get(project=self.project, id=call_id), whole=True))


class CallStopView(ProjectAPIView):
    """`/calls/{id}/stop/`"""

    roles: ClassVar = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="calls_stop",
        request=None,
        responses={202: CallSerializer, (403, PROBLEM_TYPE): _REFUSED, (404, PROBLEM_TYPE): _MISSING},
    )
    def post(self, request: Request, call_id: UUID) -> Response:
        """Have a call stopped, within two seconds; one that has ended stays as it is."""
        return Response(call_as_json(call_stop(call=call_get(project=self.project, id=call_id))), status=202)
