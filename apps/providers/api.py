"""REST for providers, their models, and connection tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectViewSet, idempotent
from apps.core.roles import Role
from apps.providers import model_services, selectors, serializers, services
from apps.providers.connection_tests import connection_test_start
from apps.providers.models import Provider
from apps.providers.prices import Price

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The provider's slug.")
_ID = OpenApiParameter("id", UUID, OpenApiParameter.PATH)
_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")
_MISSING = OpenApiResponse(ProblemSerializer, "There is nothing like that in the key's project.")
_CONFLICT = OpenApiResponse(ProblemSerializer, "It conflicts with what is there; nothing was written.")


class _ProviderPartViewSet(ProjectViewSet):
    def provider(self) -> Provider:
        return selectors.provider_get(project=self.project, slug=self.kwargs["slug"])


def _read(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class ProviderViewSet(_ProviderPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.ADMIN, "PATCH": Role.ADMIN, "DELETE": Role.ADMIN}
    serializer_class = serializers.ProviderSerializer

    @extend_schema(
        operation_id="providers_list",
        parameters=[
            OpenApiParameter("archived", bool, description="Archived providers instead of the others.")
        ],
        responses={200: serializers.ProviderSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        archived = request.query_params.get("archived", "").lower() in ("true", "1")
        rows = self.paginate_queryset(selectors.providers_of(project=self.project, archived=archived))
        return self.get_paginated_response(self.serializer_class(rows, many=True).data)

    @extend_schema(
        operation_id="providers_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=serializers.ProviderCreateSerializer,
        responses={201: serializers.ProviderSerializer, 400: _BAD, 403: _REFUSED, 409: _CONFLICT},
    )
    @idempotent
    def create(self, request: Request) -> Response:
        wanted = _read(serializers.ProviderCreateSerializer, request)
        provider = services.provider_create(
            project=self.project,
            by=self.actor,
            kind=wanted.pop("kind"),
            slug=wanted.pop("slug", None),
            api_key=wanted.pop("api_key", ""),
            settings=services.ProviderSettings(**wanted),
        )
        return Response(self.serializer_class(provider).data, status=201)

    @extend_schema(
        operation_id="providers_retrieve",
        parameters=[_SLUG],
        responses={200: serializers.ProviderSerializer, 404: _MISSING},
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self.serializer_class(self.provider()).data)

    @extend_schema(
        operation_id="providers_update",
        parameters=[_SLUG],
        request=serializers.ProviderChangeSerializer,
        responses={
            200: serializers.ProviderSerializer,
            400: _BAD,
            403: _REFUSED,
            404: _MISSING,
            409: _CONFLICT,
        },
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        provider = self.provider()
        wanted = _read(serializers.ProviderChangeSerializer, request)
        api_key = wanted.pop("api_key", None)
        settings = replace(services.ProviderSettings.of(provider), **wanted)
        provider = services.provider_update(
            project=self.project, by=self.actor, provider=provider, settings=settings, api_key=api_key
        )
        return Response(self.serializer_class(provider).data)

    @extend_schema(
        operation_id="providers_archive",
        parameters=[_SLUG],
        responses={204: None, 403: _REFUSED, 404: _MISSING, 409: _CONFLICT},
    )
    def destroy(self, request: Request, slug: str) -> Response:
        """Archive the provider: its name is free again, its key is forgotten, runs keep their proof."""
        services.provider_archive(project=self.project, by=self.actor, provider=self.provider())
        return Response(status=204)


class ModelViewSet(_ProviderPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.ADMIN, "PUT": Role.ADMIN}
    serializer_class = serializers.ModelSerializer

    @extend_schema(
        operation_id="provider_models_list",
        parameters=[_SLUG],
        responses={200: serializers.ModelSerializer(many=True), 404: _MISSING},
    )
    def list(self, request: Request, slug: str) -> Response:
        rows = self.paginate_queryset(selectors.models_of(provider=self.provider()))
        return self.get_paginated_response(self.serializer_class(rows, many=True).data)

    @extend_schema(
        operation_id="provider_models_create",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=serializers.ModelCreateSerializer,
        responses={
            201: serializers.ModelSerializer,
            400: _BAD,
            403: _REFUSED,
            404: _MISSING,
            409: _CONFLICT,
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        provider = self.provider()
        wanted = _read(serializers.ModelCreateSerializer, request)
        model = model_services.model_add(project=self.project, by=self.actor, provider=provider, **wanted)
        return Response(self.serializer_class(model).data, status=201)

    @extend_schema(
        operation_id="provider_models_set_price",
        parameters=[_SLUG, _ID],
        request=serializers.ModelPriceSerializer,
        responses={200: serializers.ModelSerializer, 400: _BAD, 403: _REFUSED, 404: _MISSING},
    )
    def set_price(self, request: Request, slug: str, id: UUID) -> Response:
        """Override the model's list price; null for both goes back to it."""
        model = selectors.model_get(provider=self.provider(), id=id)
        wanted = _read(serializers.ModelPriceSerializer, request)
        price = (
            None if wanted["input_price"] is None else Price(wanted["input_price"], wanted["output_price"])
        )
        model = model_services.model_price_set(project=self.project, by=self.actor, model=model, price=price)
        return Response(self.serializer_class(model).data)


class ConnectionTestViewSet(_ProviderPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.ADMIN}
    serializer_class = serializers.ConnectionTestSerializer

    @extend_schema(
        operation_id="provider_tests_start",
        parameters=[_SLUG],
        request=serializers.ConnectionTestRequestSerializer,
        responses={
            202: serializers.ConnectionTestSerializer,
            400: _BAD,
            403: _REFUSED,
            404: _MISSING,
            409: _CONFLICT,
        },
    )
    def create(self, request: Request, slug: str) -> Response:
        """Ask a worker to test the connection. Poll the returned `url` until it is ok or failed."""
        provider = self.provider()
        wanted = _read(serializers.ConnectionTestRequestSerializer, request)
        test = connection_test_start(
            project=self.project, by=self.actor, provider=provider, model_name=wanted.get("model", "")
        )
        body = self.serializer_class(test).data
        return Response(body, status=202, headers={"Location": body["url"]})

    @extend_schema(
        operation_id="provider_tests_retrieve",
        parameters=[_SLUG, _ID],
        responses={200: serializers.ConnectionTestSerializer, 404: _MISSING},
    )
    def retrieve(self, request: Request, slug: str, id: UUID) -> Response:
        test = selectors.connection_test_get(project=self.project, slug=slug, id=id)
        return Response(self.serializer_class(test).data)
