"""REST of webhooks."""

from django.urls import path

from apps.core import webhook_api

WEBHOOK = "webhooks/<uuid:webhook_id>/"

urlpatterns = [
    path("webhooks/", webhook_api.WebhookList.as_view(), name="webhook-list"),
    path(WEBHOOK, webhook_api.WebhookDetail.as_view(), name="webhook-detail"),
    path(f"{WEBHOOK}test/", webhook_api.WebhookTest.as_view(), name="webhook-test"),
    path(f"{WEBHOOK}deliveries/", webhook_api.WebhookDeliveries.as_view(), name="webhook-deliveries"),
]
