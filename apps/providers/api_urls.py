"""REST addresses of this room, below /api/v1/."""

from django.urls import path

from apps.providers import api

urlpatterns = [
    path("providers/", api.ProviderViewSet.as_view({"get": "list", "post": "create"}), name="provider-list"),
    path(
        "providers/<slug:slug>/",
        api.ProviderViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="provider-detail",
    ),
    path(
        "providers/<slug:slug>/models/",
        api.ModelViewSet.as_view({"get": "list", "post": "create"}),
        name="provider-model-list",
    ),
    path(
        "providers/<slug:slug>/models/<uuid:id>/price/",
        api.ModelViewSet.as_view({"put": "set_price"}),
        name="provider-model-price",
    ),
    path(
        "providers/<slug:slug>/test/",
        api.ConnectionTestViewSet.as_view({"post": "create"}),
        name="provider-test",
    ),
    path(
        "providers/<slug:slug>/tests/<uuid:id>/",
        api.ConnectionTestViewSet.as_view({"get": "retrieve"}),
        name="provider-test-detail",
    ),
]
