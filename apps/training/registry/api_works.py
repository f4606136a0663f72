"""REST: merging adapters, and importing models."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProjectAPIView, idempotent
from apps.core.errors import InvalidInput
from apps.core.parsers import BoundedJSONParser
from apps.core.roles import Role
from apps.training.registry.api import ModelView
from apps.training.registry.importing import import_ask
from apps.training.registry.merging import version_merge
from apps.training.registry.selectors import work_get
from apps.training.registry.serializers import ModelImportSerializer, RegistryWorkSerializer


class ModelMergeView(ModelView):
    """`/models/{name}/{number}/merge/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="model_version_merge",
        request=None,
        responses={202: RegistryWorkSerializer},
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Merge an adapter into its base, as a whole model of its own. Asked again, it is the same work."""
        work = version_merge(version=self.version(name, number), by=self.actor)
        return Response(RegistryWorkSerializer(work).data, status=202)


class ModelImportView(ProjectAPIView):
    """`/models/import/`"""

    roles = {"POST": Role.EDITOR}
    parser_classes = (MultiPartParser, BoundedJSONParser)

    @extend_schema(
        operation_id="model_version_import",
        parameters=[IDEMPOTENCY_HEADER],
        request={"multipart/form-data": ModelImportSerializer, "application/json": ModelImportSerializer},
        responses={202: RegistryWorkSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Have a model or an adapter checked and registered by a worker; follow the work until it is over."""
        given = ModelImportSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = given.validated_data
        base = asked["base"]
        if base is not None and not isinstance(base, dict):
            raise InvalidInput("The base is an object.", fields={"base": ["Give an object."]})
        file = asked.get("file")
        work = import_ask(
            project=self.project,
            by=self.actor,
            name=asked["name"],
            file=file,
            filename=file.name if file else "",
            folder=asked["folder"],
            base=base,
            licence=asked["licence"],
            data_licence=asked["data_licence"],
        )
        return Response(RegistryWorkSerializer(work).data, status=202)


class RegistryWorkView(ProjectAPIView):
    """`/model-works/{work_id}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="model_work_retrieve", responses={200: RegistryWorkSerializer})
    def get(self, request: Request, work_id: UUID) -> Response:
        """A merge or an import: `made` names what came of it."""
        return Response(RegistryWorkSerializer(work_get(project=self.project, id=work_id)).data)
