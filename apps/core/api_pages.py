"""Lists over REST: their parameters and their shape in the OpenAPI document, and one page of them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api import KeysetPagination

PAGING = [
    OpenApiParameter("cursor", str, description="Where to go on; take it from `next` or `previous`."),
    OpenApiParameter("limit", int, description="Rows a page, at most 200."),
]


def paged(name: str, serializer: type[serializers.BaseSerializer[Any]]) -> OpenApiResponse:
    """The schema of a page of these."""
    fields: dict[str, Any] = {
        "next": serializers.CharField(allow_null=True),
        "previous": serializers.CharField(allow_null=True),
        "results": serializer(many=True),
    }
    return OpenApiResponse(inline_serializer(f"{name}Page", fields))


def paged_answer(
    view: APIView,
    rows: QuerySet[Any],
    serializer: type[serializers.BaseSerializer[Any]],
    pagination: KeysetPagination | None = None,
    context: dict[str, Any] | None = None,
) -> Response:
    """The page that the request's cursor asks for. Raises NotFound for a cursor that is none."""
    pagination = pagination or KeysetPagination()
    page = pagination.paginate_queryset(rows, view.request, view=view)
    return pagination.get_paginated_response(serializer(page, many=True, context=context or {}).data)
