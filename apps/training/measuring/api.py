"""REST for measurements of versions, and for the project's policy."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, KeysetPagination, ProjectAPIView, idempotent
from apps.core.api_pages import PAGING
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.run_requests import run_request
from apps.training.measuring.findings import Policy
from apps.training.measuring.policy_services import policy_clear, policy_of, policy_set
from apps.training.measuring.selectors import measurement_get, measurement_list
from apps.training.measuring.serializers import (
    MeasurementCreateSerializer,
    MeasurementSerializer,
    PolicyAnswerSerializer,
    PolicySerializer,
    measurement_json,
)
from apps.training.measuring.services import measurement_create
from apps.training.models import ModelVersion
from apps.training.registry.selectors import version_get


class MeasurementList(ProjectAPIView):
    """`/models/{name}/{number}/measurements/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="model_measurements_list",
        parameters=PAGING,
        responses={200: MeasurementSerializer(many=True)},
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        """How the version did against its base, newest first."""
        version = version_get(project=self.project, name=name, number=number)
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(measurement_list(version=version), request, view=self)
        return paginator.get_paginated_response([measurement_json(one) for one in page])

    @extend_schema(
        operation_id="model_measurements_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=MeasurementCreateSerializer,
        responses={201: MeasurementSerializer},
    )
    @idempotent
    def post(self, request: Request, name: str, number: int) -> Response:
        """Run the version and its base on the same rows and compare them; ask here how it goes."""
        version = version_get(project=self.project, name=name, number=number)
        serializer = MeasurementCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        plan = _plan(self.project, serializer.validated_data)
        made = measurement_create(version=version, plan=plan, by=self.actor)
        return Response(measurement_json(made), status=201)


class MeasurementDetail(ProjectAPIView):
    """`/models/{name}/{number}/measurements/{id}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="model_measurements_retrieve", responses={200: MeasurementSerializer})
    def get(self, request: Request, name: str, number: int, measurement_id: UUID) -> Response:
        """One measurement: how far it is, or what was found."""
        version = version_get(project=self.project, name=name, number=number)
        return Response(measurement_json(measurement_get(version=version, id=measurement_id)))


class ModelPolicyView(ProjectAPIView):
    """`/model-policy/`"""

    roles = {"GET": Role.VIEWER, "PUT": Role.ADMIN, "DELETE": Role.ADMIN}

    @extend_schema(operation_id="model_policy_retrieve", responses={200: PolicyAnswerSerializer})
    def get(self, request: Request) -> Response:
        """What a version must hold to pass."""
        return self._answer()

    @extend_schema(
        operation_id="model_policy_set",
        request=PolicySerializer,
        responses={200: PolicyAnswerSerializer},
    )
    def put(self, request: Request) -> Response:
        """Judge versions by this from now on."""
        serializer = PolicySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        policy_set(project=self.project, by=self.actor, policy=Policy(**serializer.validated_data))
        return self._answer()

    @extend_schema(operation_id="model_policy_clear", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Have no policy; what was judged stays judged."""
        policy_clear(project=self.project, by=self.actor)
        return Response(status=204)

    def _answer(self) -> Response:
        kept = policy_of(self.project)
        return Response({"policy": asdict(kept) if kept else None})


def _plan(project: Project, asked: dict[str, Any]) -> dict[str, Any]:
    """Names and numbers looked up as a run's are, and written as a plan has them."""
    names = ("dataset", "dataset_version", "prompt", "prompt_version", "evaluators")
    request = run_request(project=project, **{name: asked[name] for name in names})
    against = _against(project, asked["against"])
    return {
        "dataset_version": str(request.dataset_version.pk),
        "prompt_version": str(request.prompt_version.pk) if request.prompt_version else "",
        **{name: asked[name] for name in ("split", "limit", "evaluators", "primary_metric", "slice")},
        **({"against": str(against.pk)} if against else {}),
    }


def _against(project: Project, full_name: str) -> ModelVersion | None:
    if not full_name:
        return None
    name, _, number = full_name.rpartition("-v")
    found = None
    if name and number.isascii() and number.isdigit() and len(number) < 10:
        found = ModelVersion.objects.filter(project=project, name=name, number=int(number)).first()
    if found is None:
        text = f"There is no version {full_name!r} in the registry."
        raise InvalidInput(text, fields={"against": [text]})
    return found
