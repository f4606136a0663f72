"""What REST views are made of: the project of the key, safe fields, keyset pages."""

from __future__ import annotations

import json
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError
from django.db import DataError
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from apps.core.actor import Actor
from apps.core.api_keys import ApiKeyPrincipal
from apps.core.errors import NotFound
from apps.core.idempotency import IDEMPOTENCY_HEADER, idempotent
from apps.core.models import Project
from apps.core.problems import ProblemSerializer
from apps.core.roles import Role

__all__ = [
    "IDEMPOTENCY_HEADER",
    "KeysetPagination",
    "ProblemSerializer",
    "ProjectAPIView",
    "ProjectViewSet",
    "SafeCharField",
    "SafeJSONField",
    "idempotent",
]


def _principal(view: APIView) -> ApiKeyPrincipal:
    """Who calls: the permission class has let in nobody but holders of keys."""
    return cast(ApiKeyPrincipal, view.request.user)


#: Parameters of a list that are no filter.
PAGE_PARAMETERS = ("cursor", "limit", "format")


class KeysetPagination(CursorPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        """A page; a cursor that was not made by us is NotFound, whatever it holds."""
        try:
            return super().paginate_queryset(queryset, request, view=view)
        except (ValueError, TypeError, OverflowError, ValidationError, DataError) as exc:
            raise NotFound("This cursor is not one of ours. Begin again without a cursor.") from exc


class ProjectAPIView(APIView):
    """A REST view inside the project of the key. `roles` names the least role for each method."""

    roles: ClassVar[dict[str, Role]] = {}

    @property
    def project(self) -> Project:
        return _principal(self).project

    @property
    def actor(self) -> Actor:
        return _principal(self).actor


class ProjectViewSet(GenericViewSet[Any]):
    """The same for a view set; its lists are keyset pages."""

    roles: ClassVar[dict[str, Role]] = {}
    pagination_class = KeysetPagination

    @property
    def project(self) -> Project:
        return _principal(self).project

    @property
    def actor(self) -> Actor:
        return _principal(self).actor


def _refuse_nul(value: Any) -> None:
    """Postgres keeps no NUL characters, nor half surrogate pairs, in text or JSON."""
    if isinstance(value, str):
        if "\x00" in value:
            raise serializers.ValidationError("NUL characters are not allowed.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise serializers.ValidationError("Half of a surrogate pair is not a character.") from None
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)


class SafeCharField(serializers.CharField):
    """Text that the database can hold."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        _refuse_nul(text)
        return text


class SafeJSONField(serializers.JSONField):
    """JSON that the database can hold: no NUL, no NaN or infinity, not too deep."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        try:
            json.dumps(value, allow_nan=False)
            _refuse_nul(value)
        except (ValueError, RecursionError):
            raise serializers.ValidationError(
                "NaN, infinity and very deep nesting are not allowed."
            ) from None
        return value
