"""REST for a project's webhooks and the log of what was delivered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import (
    KeysetPagination,
    ProjectAPIView,
    SafeCharField,
)
from apps.core.api_pages import PAGING, paged_answer
from apps.core.models import ProjectWebhook, WebhookDelivery
from apps.core.roles import Role
from apps.core.url_guard import MAX_URL_LENGTH
from apps.core.webhooks import (
    EVENTS,
    MAX_NAME,
    deliveries_of,
    webhook_create,
    webhook_get,
    webhook_remove,
    webhook_test,
    webhooks_of,
)


class WebhookSerializer(serializers.ModelSerializer[ProjectWebhook]):
    events = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ProjectWebhook
        fields = ("id", "name", "url", "events", "created_at")
        read_only_fields = fields


class WebhookMadeSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Shown this once; it signs what is delivered.")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class WebhookCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=MAX_NAME)
    url = SafeCharField(max_length=MAX_URL_LENGTH)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(EVENTS)), min_length=1, max_length=len(EVENTS)
    )


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    body = serializers.JSONField(help_text="What is sent, beside id, event and created_at.")

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "event",
            "status",
            "attempts",
            "next_attempt_at",
            "finished_at",
            "status_code",
            "error",
            "created_at",
            "body",
        )
        read_only_fields = fields


class WebhookList(ProjectAPIView):
    """`/webhooks/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.ADMIN, "POST": Role.ADMIN}

    @extend_schema(
        operation_id="webhooks_list", parameters=PAGING, responses={200: WebhookSerializer(many=True)}
    )
    def get(self, request: Request) -> Response:
        return paged_answer(self, webhooks_of(self.project), WebhookSerializer)

    @extend_schema(
        operation_id="webhooks_create",
        request=WebhookCreateSerializer,
        responses={201: WebhookMadeSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a webhook. Its secret is in this answer and nowhere else."""
        serializer = WebhookCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        webhook, secret = webhook_create(project=self.project, by=self.actor, **serializer.validated_data)
        return Response({**WebhookSerializer(webhook).data, "secret": secret}, status=201)


class WebhookDetail(ProjectAPIView):
    """`/webhooks/{id}/`"""

    roles = {"GET": Role.ADMIN, "DELETE": Role.ADMIN}

    @extend_schema(operation_id="webhooks_retrieve", responses={200: WebhookSerializer})
    def get(self, request: Request, webhook_id: UUID) -> Response:
        return Response(WebhookSerializer(webhook_get(project=self.project, id=webhook_id)).data)

    @extend_schema(operation_id="webhooks_remove", responses={204: None})
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """Tell it nothing more."""
        webhook = webhook_get(project=self.project, id=webhook_id)
        webhook_remove(project=self.project, by=self.actor, webhook=webhook)
        return Response(status=204)


class WebhookTest(ProjectAPIView):
    """`/webhooks/{id}/test/`"""

    roles = {"POST": Role.ADMIN}

    @extend_schema(
        operation_id="webhooks_test",
        request=None,
        responses={202: WebhookDeliverySerializer},
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Send it a test event; the delivery log says what came back."""
        webhook = webhook_get(project=self.project, id=webhook_id)
        delivery = webhook_test(project=self.project, by=self.actor, webhook=webhook)
        return Response(WebhookDeliverySerializer(delivery).data, status=202)


class WebhookDeliveries(ProjectAPIView):
    """`/webhooks/{id}/deliveries/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.ADMIN}

    @extend_schema(
        operation_id="webhook_deliveries_list",
        parameters=PAGING,
        responses={200: WebhookDeliverySerializer(many=True)},
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """What was delivered or is to be, newest first; kept for 30 days."""
        webhook = webhook_get(project=self.project, id=webhook_id)
        return paged_answer(self, deliveries_of(webhook), WebhookDeliverySerializer)
